/* A provider that answers at once, so that a benchmark measures what stands in front of it.
 *
 * It speaks chat completions and messages, plain and streamed, in one thread that allocates nothing
 * for a request. It listens on a free port of 127.0.0.1 and prints the number.
 *
 * A prompt says how a streamed answer is paced: [[texts=64 gap_ms=20]]. Each text is its own event,
 * HTTP chunk and write, and carries the moment it was sent, t=<20 digits> in nanoseconds of
 * CLOCK_MONOTONIC. So load.c, on the same machine, sees how long each was on its way. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 4096
#define REQUEST_BYTES_MAX (64 * 1024)
#define EVENTS_MAX 512
#define TEXTS_DEFAULT 64
#define NS_PER_MS 1000000ull

#define MODEL "\"model\":\"upstream\","
#define CHUNK_BEGINS \
  "data: {\"id\":\"chatcmpl-%016llx\",\"object\":\"chat.completion.chunk\"," \
  "\"created\":1760000000," MODEL "\"service_tier\":\"default\"," \
  "\"system_fingerprint\":\"fp_upstream\","
#define CHOICE(delta, reason) \
  "\"choices\":[{\"index\":0,\"delta\":" delta ",\"logprobs\":null," \
  "\"finish_reason\":" reason "}]}\n\n"
#define NO_TEXT "{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null}"

enum dialect { CHAT_COMPLETIONS, MESSAGES };

struct connection {
  int fd;
  char in[REQUEST_BYTES_MAX + 1]; /* ends in a zero, for the functions of string.h */
  size_t in_bytes;
  enum dialect dialect;
  bool is_streaming, counts_usage;
  int step, texts; /* step 0 begins the stream, 1 to texts are its texts, the next ends it */
  uint64_t gap_ns, due_ns;
  unsigned long long id;
};

static struct connection *connections[CONNECTIONS_MAX]; /* by descriptor */
static int fd_max, streaming;
static unsigned long long answers;
static char out[16 * 1024]; /* what the next write sends */
static size_t out_bytes;

static const char TEXT[] =
    "A gateway accepts a request in one dialect, finds out who asks, chooses who answers, sets "
    "the money aside and relays the answer without holding it back. What it adds is paid for by "
    "every caller, so the work has to stay small: read once, look up once, write once. "
    "Connections stay open, because a handshake costs more than a question, and bytes that need "
    "no change are handed on as they came. What is recorded is written together with what "
    "others record, and is durable before the answer leaves.";

static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

static void die(const char *what) {
  perror(what);
  exit(1);
}

static void put(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  out_bytes += (size_t)vsnprintf(out + out_bytes, sizeof out - out_bytes, format, arguments);
  va_end(arguments);
}

/* One event as an HTTP chunk of its own. */
static void put_event(const char *format, ...) {
  char event[2048];
  va_list arguments;
  va_start(arguments, format);
  int bytes = vsnprintf(event, sizeof event, format, arguments);
  va_end(arguments);
  put("%x\r\n%s\r\n", (unsigned)bytes, event);
}

static void let_go(struct connection *one) {
  connections[one->fd] = NULL;
  streaming -= one->is_streaming;
  close(one->fd);
  free(one);
}

/* An answer is far smaller than a socket's buffer, so one that does not fit has no reader. */
static bool sent(struct connection *one) {
  ssize_t bytes = send(one->fd, out, out_bytes, MSG_NOSIGNAL);
  bool is_whole = bytes == (ssize_t)out_bytes;
  out_bytes = 0;
  return is_whole;
}

static void put_whole_answer(enum dialect dialect) {
  char body[2048];
  const char *format =
      dialect == CHAT_COMPLETIONS
          ? "{\"id\":\"chatcmpl-%016llx\",\"object\":\"chat.completion\"," MODEL
            "\"created\":1760000000,\"choices\":[{\"index\":0,\"message\":"
            "{\"role\":\"assistant\",\"content\":\"%s\",\"refusal\":null,\"annotations\":[]},"
            "\"logprobs\":null,\"finish_reason\":\"stop\"}],"
            "\"usage\":{\"prompt_tokens\":120,\"completion_tokens\":110,\"total_tokens\":230,"
            "\"prompt_tokens_details\":{\"cached_tokens\":0,\"audio_tokens\":0},"
            "\"completion_tokens_details\":{\"reasoning_tokens\":0,\"audio_tokens\":0}},"
            "\"service_tier\":\"default\",\"system_fingerprint\":\"fp_upstream\"}"
          : "{\"id\":\"msg_%016llx\",\"type\":\"message\",\"role\":\"assistant\"," MODEL
            "\"content\":[{\"type\":\"text\",\"text\":\"%s\"}],\"stop_reason\":\"end_turn\","
            "\"stop_sequence\":null,\"usage\":{\"input_tokens\":120,\"output_tokens\":110,"
            "\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,"
            "\"service_tier\":\"standard\"}}";
  int bytes = snprintf(body, sizeof body, format, ++answers, TEXT);
  put("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n"
      "x-request-id: req_%016llx\r\n\r\n%s", bytes, answers, body);
}

static void put_stream_begins(struct connection *one) {
  put("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
      "cache-control: no-cache\r\ntransfer-encoding: chunked\r\nx-request-id: req_%016llx\r\n\r\n",
      one->id);
  if (one->dialect == CHAT_COMPLETIONS) {
    put_event(CHUNK_BEGINS CHOICE(NO_TEXT, "null"), one->id);
    return;
  }
  put_event("event: message_start\ndata: {\"type\":\"message_start\",\"message\":"
            "{\"id\":\"msg_%016llx\",\"type\":\"message\",\"role\":\"assistant\"," MODEL
            "\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":"
            "{\"input_tokens\":120,\"output_tokens\":1,\"cache_creation_input_tokens\":0,"
            "\"cache_read_input_tokens\":0}}}\n\n", one->id);
  put_event("event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,"
            "\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n");
}

static void put_text(struct connection *one) {
  unsigned long long now = now_ns();
  if (one->dialect == CHAT_COMPLETIONS)
    put_event(CHUNK_BEGINS CHOICE("{\"content\":\" t=%020llu\"}", "null"), one->id, now);
  else
    put_event("event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,"
              "\"delta\":{\"type\":\"text_delta\",\"text\":\" t=%020llu\"}}\n\n", now);
}

static void put_stream_ends(struct connection *one) {
  if (one->dialect == CHAT_COMPLETIONS) {
    put_event(CHUNK_BEGINS CHOICE("{}", "\"stop\""), one->id);
    if (one->counts_usage)
      put_event(CHUNK_BEGINS "\"choices\":[],\"usage\":{\"prompt_tokens\":120,"
                "\"completion_tokens\":%d,\"total_tokens\":%d}}\n\n",
                one->id, one->texts, one->texts + 120);
    put_event("data: [DONE]\n\n");
  } else {
    put_event("event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n");
    put_event("event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":"
              "{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},"
              "\"usage\":{\"output_tokens\":%d}}\n\n", one->texts);
    put_event("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
  }
  put("0\r\n\r\n");
}

/* Send what is due of a stream; false when the connection is to be let go. */
static bool stream_went_on(struct connection *one) {
  if (one->step == 0)
    put_stream_begins(one);
  else if (one->step <= one->texts)
    put_text(one);
  else
    put_stream_ends(one);
  /* The first text comes with the beginning, and the end with the last text. */
  bool is_paced = one->step > 0 && one->step < one->texts;
  one->due_ns += is_paced ? one->gap_ns : 0;
  if (one->step++ > one->texts) {
    one->is_streaming = false;
    streaming--;
  }
  return sent(one);
}

static long number_after(const char *text, const char *name, long otherwise) {
  const char *found = text ? strstr(text, name) : NULL;
  return found ? atol(found + strlen(name)) : otherwise;
}

static void begin_stream(struct connection *one, const char *body) {
  const char *pace = strstr(body, "[[");
  one->counts_usage = strstr(body, "include_usage") != NULL;
  one->texts = (int)number_after(pace, "texts=", TEXTS_DEFAULT);
  one->gap_ns = (uint64_t)number_after(pace, "gap_ms=", 0) * NS_PER_MS;
  one->step = 0;
  one->due_ns = now_ns();
  one->id = ++answers;
  one->is_streaming = true;
  streaming++;
}

/* Answer the request in the buffer once it is whole; callers ask one thing at a time. */
static bool answered(struct connection *one) {
  char *head_ends = strstr(one->in, "\r\n\r\n");
  if (!head_ends) return one->in_bytes < REQUEST_BYTES_MAX;
  *head_ends = 0;
  const char *length = strcasestr(one->in, "\r\ncontent-length:");
  size_t body_bytes = length ? (size_t)atol(length + 17) : 0;
  const char *line_ends = strchr(one->in, '\r');
  bool is_messages = line_ends && memmem(one->in, (size_t)(line_ends - one->in), "/messages", 9);
  *head_ends = '\r';
  const char *body = head_ends + 4;
  if (one->in_bytes < (size_t)(body - one->in) + body_bytes)
    return one->in_bytes < REQUEST_BYTES_MAX;
  one->in_bytes = 0;
  one->dialect = is_messages ? MESSAGES : CHAT_COMPLETIONS;
  if (strstr(body, "\"stream\":true") || strstr(body, "\"stream\": true")) {
    begin_stream(one, body);
    return true;
  }
  put_whole_answer(one->dialect);
  return sent(one);
}

static bool received(struct connection *one) {
  char *free_space = one->in + one->in_bytes;
  ssize_t bytes = recv(one->fd, free_space, REQUEST_BYTES_MAX - one->in_bytes, 0);
  if (bytes <= 0) return bytes < 0 && errno == EAGAIN;
  one->in_bytes += (size_t)bytes;
  one->in[one->in_bytes] = 0;
  return answered(one);
}

static void accept_all(int listener, int events) {
  int fd, yes = 1;
  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
    struct connection *one = fd < CONNECTIONS_MAX ? calloc(1, sizeof *one) : NULL;
    if (!one) die("too many connections");
    one->fd = fd;
    connections[fd] = one;
    fd_max = fd > fd_max ? fd : fd_max;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    struct epoll_event wanted = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl(events, EPOLL_CTL_ADD, fd, &wanted);
  }
}

/* Let every stream that is due go on by one event; returns how long nobody is due, in ms. */
static int streams_went_on(void) {
  if (!streaming) return -1;
  uint64_t now = now_ns(), next = UINT64_MAX;
  for (int fd = 0; fd <= fd_max; fd++) {
    struct connection *one = connections[fd];
    if (!one || !one->is_streaming) continue;
    if (one->due_ns <= now && !stream_went_on(one)) {
      let_go(one);
      continue;
    }
    if (one->is_streaming && one->due_ns < next) next = one->due_ns;
  }
  return next <= now ? 0 : next == UINT64_MAX ? -1 : (int)((next - now) / NS_PER_MS) + 1;
}

int main(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t address_bytes = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (bind(listener, (void *)&address, sizeof address) || listen(listener, CONNECTIONS_MAX) ||
      getsockname(listener, (void *)&address, &address_bytes))
    die("listen");
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);
  int events = epoll_create1(0);
  struct epoll_event wanted = {.events = EPOLLIN, .data.fd = listener}, happened[EVENTS_MAX];
  epoll_ctl(events, EPOLL_CTL_ADD, listener, &wanted);
  for (;;) {
    int count = epoll_wait(events, happened, EVENTS_MAX, streams_went_on());
    for (int i = 0; i < count; i++) {
      int fd = happened[i].data.fd;
      if (fd == listener)
        accept_all(listener, events);
      else if (!received(connections[fd]))
        let_go(connections[fd]);
    }
  }
}
