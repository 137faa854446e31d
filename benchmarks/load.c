/* Asks an HTTP server the same thing again and again, and tells how long the answers took.
 *
 *   load PORT CALLERS WARM_MS MEASURE_MS TEXTS < request
 *
 * The request, head and body, is sent to 127.0.0.1 as it is read. Each caller has one connection
 * and asks again once it is answered, so the server decides the pace. TEXTS is how many texts of
 * upstream.c a whole stream has, 0 for an answer in one piece. What ends within the measured time
 * is counted. Prints one JSON object; times are in microseconds. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define REQUEST_BYTES_MAX (1024 * 1024)
#define IN_BYTES_MAX (64 * 1024)
#define BODY_BYTES_MAX (256 * 1024)
#define EVENTS_MAX 512
#define BROKEN_MAX 1000
#define DRAIN_NS 10000000000ull
#define STAMP " t=0" /* A moment of this clock has fewer than 20 digits for three hundred years. */
#define STAMP_BYTES (3 + 20)

enum part { HEAD, SIZED_BODY, CHUNK_SIZE, CHUNK, CHUNK_ENDS, LAST_CHUNK_ENDS };

struct caller {
  int fd;
  enum part part;
  char in[IN_BYTES_MAX + 1]; /* not yet understood; ends in a zero */
  size_t in_bytes;
  char body[BODY_BYTES_MAX + 1]; /* of one answer, without chunk sizes; ends in a zero */
  size_t body_bytes, searched_bytes, left_bytes;
  int status, texts;
  uint64_t asked_ns;
};

struct samples {
  float *us;
  size_t count, room;
};

static struct sockaddr_in address = {.sin_family = AF_INET};
static char request[REQUEST_BYTES_MAX], first_failure[300];
static size_t request_bytes;
static uint64_t measure_from_ns, measure_until_ns;
static int events, texts_wanted, waiting;
static unsigned long answers, failures, broken, texts, answers_in_all;
static struct samples whole_us, first_text_us, relay_us;

static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

static void die(const char *what) {
  perror(what);
  exit(1);
}

static bool is_measured(uint64_t at_ns) {
  return at_ns >= measure_from_ns && at_ns < measure_until_ns;
}

static void add(struct samples *to, uint64_t from_ns, uint64_t until_ns) {
  if (to->count == to->room) {
    to->room = to->room ? to->room * 2 : 65536;
    to->us = realloc(to->us, to->room * sizeof *to->us);
    if (!to->us) die("realloc");
  }
  to->us[to->count++] = (float)((double)(until_ns - from_ns) / 1e3);
}

static void note_failure(const struct caller *one) {
  failures++;
  if (first_failure[0]) return;
  snprintf(first_failure, sizeof first_failure, "status %d, %d texts: %.250s", one->status,
           one->texts, one->body);
  for (char *at = first_failure; *at; at++)
    if (*at == '"' || *at == '\\' || (unsigned char)*at < 32 || (unsigned char)*at > 126) *at = ' ';
}

static void ask(struct caller *one) {
  one->part = HEAD;
  one->body_bytes = one->searched_bytes = 0;
  one->body[0] = 0;
  one->texts = 0;
  one->asked_ns = now_ns();
  if (one->asked_ns >= measure_until_ns) return;
  waiting++;
  /* The buffer of an idle socket takes all of it. */
  ssize_t bytes = send(one->fd, request, request_bytes, MSG_NOSIGNAL);
  if (bytes >= 0 && bytes != (ssize_t)request_bytes) die("a request was sent in parts");
}

static void connect_and_ask(struct caller *one) {
  int yes = 1;
  one->fd = socket(AF_INET, SOCK_STREAM, 0);
  one->in_bytes = 0;
  if (connect(one->fd, (void *)&address, sizeof address)) die("connect");
  fcntl(one->fd, F_SETFL, O_NONBLOCK);
  setsockopt(one->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  struct epoll_event wanted = {.events = EPOLLIN, .data.ptr = one};
  epoll_ctl(events, EPOLL_CTL_ADD, one->fd, &wanted);
  ask(one);
}

/* An answer is whole: count it, and ask again. */
static void note_answer(struct caller *one) {
  uint64_t now = now_ns();
  waiting--;
  answers_in_all++;
  bool is_error = one->status != 200 || strstr(one->body, "\"error\"");
  if (is_error || one->texts != texts_wanted) {
    note_failure(one);
  } else if (is_measured(now)) {
    answers++;
    add(&whole_us, one->asked_ns, now);
  }
  ask(one);
}

/* Look for the texts of a stream in what came since the last look. */
static void read_texts(struct caller *one) {
  if (!texts_wanted) return;
  uint64_t now = now_ns();
  char *at = one->body + one->searched_bytes, *end = one->body + one->body_bytes;
  while ((at = strstr(at, STAMP)) && at + STAMP_BYTES <= end) {
    if (is_measured(now)) {
      texts++;
      add(&relay_us, strtoull(at + 3, NULL, 10), now);
      if (!one->texts) add(&first_text_us, one->asked_ns, now);
    }
    one->texts++;
    at += STAMP_BYTES;
    one->searched_bytes = (size_t)(at - one->body);
  }
}

static void take_body(struct caller *one, const char *from, size_t bytes) {
  if (one->body_bytes + bytes > BODY_BYTES_MAX) die("an answer is too long");
  memcpy(one->body + one->body_bytes, from, bytes);
  one->body_bytes += bytes;
  one->body[one->body_bytes] = 0;
  one->left_bytes -= bytes;
}

static void read_head(struct caller *one, char *head) {
  one->status = atoi(head + strlen("HTTP/1.1 "));
  const char *length = strcasestr(head, "\r\ncontent-length:");
  one->left_bytes = length ? (size_t)atol(length + strlen("\r\ncontent-length:")) : 0;
  one->part = length ? SIZED_BODY : CHUNK_SIZE;
}

/* Understand the next piece of an answer; returns how long it was, 0 when more of it is needed. */
static size_t understood(struct caller *one, char *from, size_t bytes) {
  if (one->part == SIZED_BODY || one->part == CHUNK) {
    size_t taken = bytes < one->left_bytes ? bytes : one->left_bytes;
    take_body(one, from, taken);
    return taken;
  }
  const char *ending = one->part == HEAD ? "\r\n\r\n" : "\r\n";
  char *end = strstr(from, ending);
  if (!end) return 0;
  *end = 0;
  if (one->part == HEAD) {
    read_head(one, from);
  } else if (one->part == CHUNK_SIZE) {
    one->left_bytes = strtoul(from, NULL, 16);
    one->part = one->left_bytes ? CHUNK : LAST_CHUNK_ENDS;
  } else {
    one->part = CHUNK_SIZE;
  }
  return (size_t)(end - from) + strlen(ending);
}

static void read_answer(struct caller *one) {
  size_t used = 0;
  while (used < one->in_bytes) {
    bool is_last = one->part == LAST_CHUNK_ENDS;
    size_t taken = understood(one, one->in + used, one->in_bytes - used);
    if (!taken) break;
    used += taken;
    if (one->part == CHUNK && !one->left_bytes) one->part = CHUNK_ENDS;
    if (is_last || (one->part == SIZED_BODY && !one->left_bytes)) {
      read_texts(one);
      note_answer(one);
    }
  }
  memmove(one->in, one->in + used, one->in_bytes - used + 1);
  one->in_bytes -= used;
  read_texts(one);
}

static void note_broken(struct caller *one) {
  if (one->asked_ns < measure_until_ns) waiting--;
  if (++broken > BROKEN_MAX) die("connections are closed again and again");
  close(one->fd);
  connect_and_ask(one);
}

static void receive(struct caller *one) {
  ssize_t bytes = recv(one->fd, one->in + one->in_bytes, IN_BYTES_MAX - one->in_bytes, 0);
  if (bytes < 0 && errno == EAGAIN) return;
  if (bytes <= 0) {
    note_broken(one);
    return;
  }
  one->in_bytes += (size_t)bytes;
  one->in[one->in_bytes] = 0;
  read_answer(one);
}

static int in_order(const void *left, const void *right) {
  float one = *(const float *)left, other = *(const float *)right;
  return (one > other) - (one < other);
}

static void tell(const char *name, struct samples *of) {
  qsort(of->us, of->count, sizeof *of->us, in_order);
  double p50 = of->count ? of->us[(of->count - 1) / 2] : 0;
  double p99 = of->count ? of->us[(size_t)((double)(of->count - 1) * 0.99)] : 0;
  printf("\"%s\":{\"p50\":%.1f,\"p99\":%.1f},", name, p50, p99);
}

int main(int count, char **arguments) {
  if (count != 6) {
    fprintf(stderr, "usage: load PORT CALLERS WARM_MS MEASURE_MS TEXTS < request\n");
    return 2;
  }
  int callers = atoi(arguments[2]);
  double seconds = atof(arguments[4]) / 1e3;
  texts_wanted = atoi(arguments[5]);
  address.sin_port = htons((uint16_t)atoi(arguments[1]));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  request_bytes = fread(request, 1, sizeof request, stdin);
  measure_from_ns = now_ns() + (uint64_t)(atof(arguments[3]) * 1e6);
  measure_until_ns = measure_from_ns + (uint64_t)(seconds * 1e9);
  events = epoll_create1(0);
  struct caller *all = calloc((size_t)callers, sizeof *all);
  struct epoll_event happened[EVENTS_MAX];
  if (!all) die("calloc");
  for (int i = 0; i < callers; i++) connect_and_ask(&all[i]);
  while (waiting && now_ns() < measure_until_ns + DRAIN_NS) {
    int ready = epoll_wait(events, happened, EVENTS_MAX, 100);
    for (int i = 0; i < ready; i++) receive(happened[i].data.ptr);
  }
  printf("{\"failures\":%lu,\"broken\":%lu,\"unfinished\":%d,\"first_failure\":\"%s\",", failures,
         broken, waiting, first_failure);
  printf("\"load\":{");
  tell("whole_us", &whole_us);
  tell("first_text_us", &first_text_us);
  tell("relay_us", &relay_us);
  printf("\"seconds\":%.3f,\"answers\":%lu,\"texts\":%lu,\"answers_in_all\":%lu}}\n", seconds,
         answers, texts, answers_in_all);
  return 0;
}
