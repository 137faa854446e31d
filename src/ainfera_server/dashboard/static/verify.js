// Checks what Ainfera says of itself, without Ainfera: receipts, chains and the public log.
//
// Written from the guide "Verifying what Ainfera says", so that it shares no code and no mistake
// with the server. It needs Web Crypto with Ed25519, runs in browsers and in Node, and asks no
// network. It cannot make a decision again: `ainfera-server verify FILE` does.

const RECEIPT_DOCUMENT = "ainfera.receipt-document/1";
const CHAIN_EXPORT = "ainfera.chain-export/1";
const LOG_EXPORT = "ainfera.log-export/1";

const FORMATS = {
  [RECEIPT_DOCUMENT]: { subject: "a receipt", check: checkReceiptDocument },
  [CHAIN_EXPORT]: { subject: "the chain of an agent", check: checkChain },
  [LOG_EXPORT]: { subject: "the public log", check: checkLog },
};

/** The file is none of those that can be checked. */
export class WrongKind extends Error {}

/** A record does not hold: which one, counted from 1, and why. */
class Fault extends Error {
  constructor(sentence, record = null, place = null) {
    super(sentence);
    Object.assign(this, { record, place });
  }
}

/** Something cannot be checked here, which proves nothing either way; `held` records did hold. */
class Open extends Error {
  constructor(sentence, held = 0) {
    super(sentence);
    this.held = held;
  }
}

/**
 * Check a file, given as bytes. `keys` are files that say whose signatures count; of a sort that
 * none of them holds, the keys in the file itself do. `log` is an export of the log, to count a
 * chain against. Throws WrongKind.
 */
export async function verify(content, { keys = [], log = null } = {}) {
  const brought = await keysBrought(keys);
  const bench = { checks: [], fingerprints: [] };
  const report = (subject) => ({
    ...{ subject, checks: bench.checks, fingerprints: [...new Set(bench.fingerprints)] },
    holds: bench.checks.every((one) => one.state !== "fails"),
  });
  const files = [];
  const isReadable = await check(bench, "form", () => {
    files.push(...[content, ...(log ? [log] : [])].map(readFile));
    return files.length;
  });
  if (!isReadable) return report("a file of Ainfera's");
  bench.checks.pop();
  if (log && !(files[0].format === CHAIN_EXPORT && files[1].format === LOG_EXPORT)) {
    throw new WrongKind("Only the export of a chain can be counted in an export of the log.");
  }
  for (const file of files) {
    if (await takeKeys(bench, file, brought)) await FORMATS[file.format].check(bench, file);
  }
  if (log) await check(bench, "counted in the log", () => checkCounted(...files, brought));
  return report(files.map((file) => FORMATS[file.format].subject).join(" and "));
}

/**
 * Do one check: `work` returns how many records held, with a sentence for the reader if there is
 * one, and throws at the first that does not. What is open has not failed.
 */
async function check(bench, name, work) {
  const found = { name, count: 0, state: "holds", record: null, place: null, sentence: null };
  try {
    [found.count, found.sentence = null] = [await work()].flat();
  } catch (problem) {
    if (problem instanceof WrongKind) throw problem;
    const fault = problem instanceof Open ? problem : asFault(problem);
    found.state = problem instanceof Open ? "open" : "fails";
    found.sentence = fault.message;
    found.record = fault.record ?? null;
    found.place = fault.place ?? null;
    found.count = problem.held ?? (found.place ?? 1) - 1;
  }
  bench.checks.push(found);
  return found.state !== "fails";
}

/** Whatever goes wrong inside belongs to this record. */
async function inRecord(record, place, work) {
  try {
    return await work();
  } catch (problem) {
    throw problem instanceof Open ? problem : new Fault(asFault(problem).message, record, place);
  }
}

function asFault(problem) {
  if (problem instanceof Fault) return problem;
  return new Fault(`it is not as described: ${problem.message}`);
}

function need(holds, sentence) {
  if (!holds) throw new Fault(sentence);
}

// Receipts --------------------------------------------------------------------------------------

const RECEIPT_1 = [
  ...["schema", "receipt_id", "tenant_id", "agent_id", "inference_id", "decision_id", "cost_usd"],
  ...["policy_version", "ruleset_hash", "model_asked", "model_served", "offer", "provider"],
  ...["usage", "attempts", "usage_source", "prices_usd_per_mtok", "price_book_version"],
  ...["held_usd", "transfer_id", "prompt_hash", "response_hash", "fields_not_carried"],
  "created_at",
];
const RECEIPT_2 = [
  ...[...RECEIPT_1, "outcome", "failure", "refusal_reason", "billing_rule", "decision_hash"],
  ...["seed", "rule_fired", "propensity", "web_search_usd", "paid_from", "provider_cost_usd"],
  ...["margin_usd", "margin_rate"],
];
const MEMBERS = { "ainfera.receipt/1": RECEIPT_1, "ainfera.receipt/2": RECEIPT_2 };
const FREE = ["nothing_delivered", "refused"];

async function checkReceiptDocument(bench, file) {
  let receipt = null;
  let events = [];
  const isGenuine = await check(bench, "receipt", async () => {
    receipt = await readReceipt(bench, file);
    return 1;
  });
  if (!isGenuine) return;
  await check(bench, "shown fields", () => checkShown(receipt, file));
  const eventsHold = await check(bench, "events", async () => {
    events = await readEventsAbout(bench, file.events, receipt);
    return events.length;
  });
  if (eventsHold) {
    await check(bench, "receipt in the chain", async () => {
      await checkStory(receipt, file.signed_text, events);
      return 1;
    });
    const created = events.find((one) => one.said.event_type === "receipt.created");
    await check(bench, "inclusion in the log", () => checkInclusion(bench, file, created, 1));
  }
  const isBound = await check(bench, "decision", () => {
    const isWanted = receipt.decision_id !== null;
    need(isWanted === (file.decision !== null), "a decision is missing, or one too much is there");
    return isWanted ? checkDecision(receipt, file.decision, events) : 0;
  });
  if (isBound && receipt.decision_id !== null) await leave(bench, "decision made again");
}

/** What only the server's own code can do is said, not passed over. */
function leave(bench, name) {
  return check(bench, name, () => {
    throw new Open("A browser cannot make a decision again, as ainfera-server verify FILE does.");
  });
}

async function readReceipt(bench, signed) {
  const receipt = canonicalObject(signed.signed_text);
  await checkSignature(bench, signed, signed.signed_text);
  need(Object.hasOwn(MEMBERS, receipt.schema), `the schema ${receipt.schema} is not known`);
  exactly(receipt, MEMBERS[receipt.schema]);
  checkCost(receipt);
  return receipt;
}

/** What stands beside the signed text says the same. */
function checkShown(receipt, file) {
  const names = Object.keys(file).filter((name) => !Object.hasOwn(SHAPES[RECEIPT_DOCUMENT], name));
  const beside = Object.fromEntries(names.map((name) => [name, null]));
  exactly(beside, [...MEMBERS[receipt.schema], "model", "audit_url"]);
  for (const [name, value] of Object.entries({ ...receipt, model: receipt.model_served })) {
    const isSame =
      name === "cost_usd"
        ? Number(file.cost_usd) === Number(value) && typeof file.cost_usd !== "string"
        : canonical(file[name]) === canonical(value);
    need(isSame, `${name} is not what was signed`);
  }
  const served = `/v1/audit/${receipt.agent_id}`;
  need(text(file.audit_url).endsWith(served), "audit_url leads to another chain");
  return names.length;
}

/** An answer costs what its counts and prices come to. */
function checkCost(receipt) {
  const isOld = receipt.schema === "ainfera.receipt/1";
  const cost = money(receipt.cost_usd);
  const [due, margin] = receipt.usage === null ? [0n, 0n] : dueFor(receipt, isOld);
  need(cost === due + margin, `${receipt.cost_usd} is not what counts and prices come to`);
  need(!FREE.includes(receipt.billing_rule) || cost === 0n, "nothing was to be paid");
  if (isOld) return;
  const parts = [receipt.provider_cost_usd, receipt.margin_usd];
  const said = parts.map((part) => (part === null && cost === 0n ? 0n : money(part)));
  need(said[0] === due && said[1] === margin, "the parts of the cost are others");
}

function dueFor(receipt, isOld) {
  const { usage, prices_usd_per_mtok: prices } = receipt;
  const price = (...names) => money(prices[names.find((name) => Object.hasOwn(prices, name))]);
  const output = whole(usage.output_tokens);
  const reasoning = least(whole(usage.reasoning_tokens), output);
  let millionths =
    whole(usage.input_tokens) * price("input") +
    whole(usage.cache_read_tokens) * price("cache_read", "input") +
    whole(usage.cache_write_tokens) * price("cache_write", "input") +
    whole(usage.cache_write_1h_tokens) * price("cache_write_1h", "cache_write", "input") +
    reasoning * price("reasoning", "output", "input") +
    (output - reasoning) * price("output", "input");
  if (!isOld && whole(usage.web_searches) > 0n) {
    millionths += whole(usage.web_searches) * money(receipt.web_search_usd) * MILLION;
  }
  const full = (millionths + MILLION / 2n) / MILLION;
  const margin = isOld ? 0n : marginOf(full, receipt.margin_rate);
  const held = money(receipt.held_usd);
  if (full + margin <= held) return [full, margin];
  return [least(full, held), held - least(full, held)];
}

function marginOf(full, rate) {
  const [, ones, fraction = ""] = RATE.exec(text(rate)) ?? [];
  need(ones, "margin_rate is no share");
  const share = BigInt(ones + fraction.padEnd(12, "0"));
  return (full * share + MILLION * MILLION - 1n) / (MILLION * MILLION);
}

/** The texts are those that the receipt commits to, or an event where an older receipt does not. */
async function checkDecision(receipt, shown, events) {
  need(shown.decision_id === receipt.decision_id, "it is another decision than the receipt's");
  canonicalObject(shown.snapshot);
  if (shown.decision === null) {
    throw new Open("It cannot be checked: the decision's text is missing.");
  }
  const made = canonicalObject(shown.decision);
  const routed = events.find((one) => one.said.event_type === "inference.routed");
  const committed = receipt.decision_hash ?? routed?.said.decision_hash;
  const hash = await hashOf(shown.snapshot + shown.decision);
  need(hash === committed, "its hash is not the one that was committed to");
  for (const name of ["policy_version", "ruleset_hash", "rule_fired", "seed", "propensity"]) {
    const isSame = !(name in receipt) || canonical(made[name]) === canonical(receipt[name]);
    need(isSame, `${name} is not the one in the receipt`);
  }
  need((list(made.fallback_order)[0] ?? null) === made.chosen_model_slug, "it chose another");
  return 1;
}

const DELIVERED = ["provider.responded", "ledger.debited"];
const ENDINGS = {
  answer_delivered: [DELIVERED],
  part_delivered: [DELIVERED],
  nothing_delivered: [["inference.failed"], ["inference.expired"]],
  refused: [
    ...[["inference.rejected_cap_violation"], ["inference.rejected_insufficient_funds"]],
    ...[["inference.rejected_floor"], ["inference.failed"]],
  ],
};
const TELLING = new Set(Object.values(ENDINGS).flat(2));

/** The events about an inference tell the same as its receipt. */
async function checkStory(receipt, written, events) {
  const of = (type) => events.filter((one) => one.said.event_type === type);
  const { receipt_id, inference_id, transfer_id } = receipt;
  const created = of("receipt.created");
  need(created.length === 1, "there is not one event that says that the receipt was made");
  await same(created[0], { receipt_id, receipt_sha256: await hashOf(written) });
  let before = null;
  for (const one of of("inference.routed")) {
    const { prompt_hash, decision_id, decision_hash } = receipt;
    const facts = { inference_id, prompt_hash, decision_id, decision_hash };
    await same(one, { ...facts, fallback_from: before });
    before = one.said.model;
  }
  const last = of("inference.routed").at(-1);
  need(last || inference_id === null, "no event says that the inference began");
  if (last && transfer_id !== null) await same(last, { transfer_id, model: receipt.offer });
  const told = events.filter((one) => TELLING.has(one.said.event_type));
  const types = told.map((one) => one.said.event_type).join();
  const endings = ENDINGS[receipt.billing_rule ?? "answer_delivered"] ?? [];
  need(endings.some((ending) => ending.join() === types), "the events tell of another ending");
  for (const one of told) await same(one, factsOf(one.said.event_type, receipt));
}

function factsOf(type, receipt) {
  const { receipt_id, response_hash, transfer_id, held_usd, failure } = receipt;
  if (type === "provider.responded") return { response_hash };
  if (type === "ledger.debited") return { amount_usd: receipt.cost_usd, held_usd, transfer_id };
  return receipt.billing_rule === "refused" ? { receipt_id } : { failure };
}

/** A name that older receipts do not have is not compared. */
function same(event, facts) {
  return inRecord("event", event.place, () => {
    for (const [name, value] of Object.entries(facts)) {
      const isSame = value === undefined || canonical(event.said[name]) === canonical(value);
      need(isSame, `${name} is not the one in the receipt`);
    }
  });
}

// Events and chains -----------------------------------------------------------------------------

const SAID_OF_ITSELF = ["agent_id", "created_at", "event_id", "event_type", "tenant_id"];
const END = ["schema", "agent_id", "tenant_id", "exported_at", "seq", "event_hash"];

async function readEvent(bench, one) {
  const hash = await hashOf((one.previous_hash ?? "") + one.payload);
  need(hash === one.event_hash, "its hash is another");
  const said = canonicalObject(one.payload);
  for (const name of SAID_OF_ITSELF) text(said[name]);
  need(Number.isSafeInteger(said.seq) && said.seq > 0, "its seq is no place");
  await checkSignature(bench, one, one.event_hash);
  return said;
}

/** Events about one receipt: each holds by itself, and those that are neighbours together. */
async function readEventsAbout(bench, events, receipt) {
  const read = [];
  for (const [index, one] of events.entries()) {
    await inRecord("event", index + 1, async () => {
      const said = await readEvent(bench, one);
      const before = read.at(-1);
      const isIts = ["agent_id", "tenant_id"].every((name) => said[name] === receipt[name]);
      need(isIts && isAbout(said, receipt), "it is about something else");
      need(!before || said.seq > before.said.seq, "it is out of order");
      const follows = before && said.seq === before.said.seq + 1;
      need(!follows || one.previous_hash === before.event.event_hash, "it follows another event");
      need((said.seq === 1) === (one.previous_hash === null), "it is not the first event");
      read.push({ said, event: one, place: index + 1 });
    });
  }
  return read;
}

function isAbout(said, receipt) {
  return receipt.inference_id === null
    ? said.receipt_id === receipt.receipt_id
    : said.inference_id === receipt.inference_id;
}

/** Looks up the events about a receipt, so that a long chain is gone through once. */
function eventsOf(read) {
  const found = new Map();
  for (const one of read) {
    for (const id of new Set([one.said.inference_id, one.said.receipt_id])) {
      if (!found.has(id)) found.set(id, []);
      found.get(id).push(one);
    }
  }
  return (receipt) => found.get(receipt.inference_id ?? receipt.receipt_id) ?? [];
}

async function checkChain(bench, file) {
  const read = [];
  const ids = new Set();
  const eventsHold = await check(bench, "events", async () => {
    for (const [index, one] of file.events.entries()) {
      const place = index + 1;
      await inRecord("event", place, async () => {
        const before = read.at(-1);
        const hash = before ? before.event.event_hash : null;
        need(one.previous_hash === hash, "it does not follow the event before");
        const said = await readEvent(bench, one);
        need(said.seq === place, `its seq should be ${place}`);
        need(said.agent_id === file.agent_id, "it is another agent's");
        need(!before || said.tenant_id === before.said.tenant_id, "it is another tenant's");
        need(!ids.has(said.event_id), "it has the event_id of an event before");
        ids.add(said.event_id);
        read.push({ said, event: one, place });
      });
    }
    return read.length;
  });
  if (!eventsHold) return;
  await check(bench, "end of the chain", () => checkEnd(bench, file, read.at(-1)));
  await check(bench, "inclusion in the log", () => {
    const proven = read[(file.inclusion_seq ?? 0) - 1];
    need((file.inclusion === null) === (proven === undefined), "inclusion_seq names another event");
    return checkInclusion(bench, file, proven);
  });
  if (file.receipts === undefined) return;
  const eventsAbout = eventsOf(read);
  const created = read.filter((one) => one.said.event_type === "receipt.created");
  const receipts = [];
  const receiptsHold = await check(bench, "receipts", async () => {
    receipts.push(...(await readReceipts(bench, file, created, eventsAbout)));
    needReceiptsOfDebits(receipts, read);
    return receipts.length;
  });
  if (!receiptsHold) return;
  if (await check(bench, "decisions", () => checkDecisions(file, receipts, eventsAbout))) {
    await leave(bench, "decisions made again");
  }
}

async function checkEnd(bench, file, last) {
  const end = canonicalObject(file.end.signed_text);
  await checkSignature(bench, file.end, file.end.signed_text);
  exactly(end, END);
  need(end.schema === "ainfera.chain-end/1", `the schema ${end.schema} is not known`);
  need(end.agent_id === file.agent_id, "it is the end of another agent's chain");
  need(!last || end.tenant_id === last.said.tenant_id, "it names another tenant");
  const count = file.events.length;
  if (end.seq !== count) {
    const sentence = `the chain had ${end.seq} events when it was exported, and here are ${count}`;
    throw new Fault(sentence, "event", Math.min(count, Number(whole(end.seq))) + 1);
  }
  need(end.event_hash === (last?.event.event_hash ?? null), "another event was the last one");
  return [count, `Exported at ${text(end.exported_at)}.`];
}

/** A receipt for each event that says that one was made, in that order. */
async function readReceipts(bench, file, created, eventsAbout) {
  const receipts = [];
  for (const [index, signed] of file.receipts.entries()) {
    await inRecord("receipt", index + 1, async () => {
      const receipt = await readReceipt(bench, signed);
      const events = eventsAbout(receipt);
      need(events.includes(created[index]), "no event says that it was made, in this order");
      await checkStory(receipt, signed.signed_text, events);
      receipts.push(receipt);
    });
  }
  needAll(receipts.length, created.length, "receipt");
  return receipts;
}

/** Money is never taken without a receipt that says what for. */
function needReceiptsOfDebits(receipts, read) {
  const known = new Set(receipts.map((one) => one.inference_id));
  for (const { said } of read.filter((one) => one.said.event_type === "ledger.debited")) {
    const isKnown = typeof said.inference_id === "string" && known.has(said.inference_id);
    need(isKnown, `event ${said.seq} took money, and there is no receipt of it`);
  }
}

/** A decision for each receipt that names one, in that order. */
async function checkDecisions(file, receipts, eventsAbout) {
  const naming = receipts.filter((one) => one.decision_id !== null);
  const open = [];
  for (const [index, shown] of file.decisions.entries()) {
    await inRecord("decision", index + 1, async () => {
      need(index < naming.length, "no receipt names it");
      try {
        await checkDecision(naming[index], shown, eventsAbout(naming[index]));
      } catch (problem) {
        if (!(problem instanceof Open)) throw problem;
        open.push(problem.message);
      }
    });
  }
  needAll(file.decisions.length, naming.length, "decision");
  const [count, all] = [open.length, naming.length];
  if (count > 0) throw new Open(`${count} of ${all}: ${open[0]}`, all - count);
  return naming.length;
}

function needAll(count, wanted, record) {
  if (count < wanted) throw new Fault(`the ${record} is missing`, record, count + 1);
}

// The public log --------------------------------------------------------------------------------

const HASH = "([0-9a-f]{64})";
const ENTRY = new RegExp(`^{"agent":"${HASH}","event_hash":"${HASH}","seq":([1-9][0-9]{0,15})}$`);
const NOTE = /^([^\n]+\n(0|[1-9][0-9]*)\n([^\n]+)\n)\n((?:\u2014 [^\n]+\n)+)$/u;
const SIGNATURE_LINE = /^\u2014 ([^ +\n]+) ([^ \n]+)$/u;
const LOG_KEY = /^([^+\s]+)\+([0-9a-f]{8})\+(\S+)$/;

async function checkInclusion(bench, file, event, count = event?.said.seq) {
  need((file.inclusion === null) !== (file.inclusion_pending === null), "there is not one of both");
  if (file.inclusion === null) throw new Open(file.inclusion_pending);
  const proof = file.inclusion;
  need(event, "there is no event to be included");
  const checkpoint = await readCheckpoint(bench, proof.checkpoint);
  need(whole(proof.tree_size) === checkpoint.size, "the checkpoint is about another tree");
  const { agent_id: agent, seq } = event.said;
  const entry = { agent: await hashOf(agent), event_hash: event.event.event_hash, seq };
  const hashes = proof.hashes.map((one) => hashOctets(one));
  const leaf = await leafHash(canonical(entry));
  const reached = await rootOfInclusion(leaf, whole(proof.log_index), checkpoint.size, hashes);
  need(isEqual(reached, checkpoint.root), "it does not lead to the root that was signed");
  return [count, `By a checkpoint of the log with ${checkpoint.size} entries.`];
}

async function rootOfInclusion(leaf, index, size, hashes) {
  need(index < size, "log_index is beyond the tree");
  let [reached, place, last] = [leaf, index, size - 1n];
  for (const hash of hashes) {
    need(last > 0n, "there are more hashes than the tree is high");
    if (place % 2n === 1n || place === last) {
      reached = await nodeHash(hash, reached);
      while (place % 2n === 0n && place !== 0n) [place, last] = [place / 2n, last / 2n];
    } else {
      reached = await nodeHash(reached, hash);
    }
    [place, last] = [place / 2n, last / 2n];
  }
  need(last === 0n, "there are fewer hashes than the tree is high");
  return reached;
}

/** Read a signed note about a tree, and make sure that a log whose key counts has signed it. */
async function readCheckpoint(bench, note) {
  const parts = NOTE.exec(note);
  need(parts, "the checkpoint is no signed note of three lines");
  const [, body, size, root, lines] = parts;
  const origin = body.slice(0, body.indexOf("\n"));
  let signatures = 0;
  for (const line of lines.split("\n").slice(0, -1)) {
    const [, name, written] = SIGNATURE_LINE.exec(line) ?? [];
    need(name, "a signature line of the checkpoint is none");
    const octets = base64(written);
    need(octets && octets.length > 4, "a signature of the checkpoint is not base64");
    const id = octets.slice(0, 4);
    const by = [...bench.log.values()].filter((key) => key.name === name && isEqual(key.id, id));
    for (const key of by) {
      const isGenuine = await isSignature(key.key, octets.slice(4), bytes(body));
      need(isGenuine && name === origin, `the checkpoint was not signed by ${name}`);
      signatures += 1;
    }
  }
  need(signatures > 0, "no log whose key counts has signed the checkpoint");
  return { origin, size: BigInt(size), root: hashOctets(root, base64) };
}

async function checkLog(bench, file) {
  let checkpoint = null;
  const isSigned = await check(bench, "checkpoint", async () => {
    checkpoint = await readCheckpoint(bench, file.checkpoint);
    return 1;
  });
  if (isSigned) {
    await check(bench, "leaf hashes", async () => {
      const count = file.leaf_hashes.length;
      need(BigInt(count) === checkpoint.size, `the checkpoint counts ${checkpoint.size} entries`);
      const leaves = file.leaf_hashes.map((one) => hashOctets(one));
      need(isEqual(await rootOf(leaves), checkpoint.root), "they lead to another root");
      return count;
    });
  }
  await check(bench, "entries", () => checkEntries(file));
}

/** Each entry is of its leaf hash, and those of an agent count its events from the first. */
async function checkEntries({ entries, leaf_hashes: leaves }) {
  const found = await Promise.all(entries.map(async (one) => hex(await leafHash(one))));
  const heights = new Map();
  for (const [index, one] of entries.entries()) {
    await inRecord("entry", index + 1, () => {
      need(found[index] === leaves[index], "its leaf hash is another");
      const entry = readEntry(one);
      need(entry, "it is not as the log writes entries");
      need(entry.seq === (heights.get(entry.agent) ?? 0) + 1, "it is not the next of its agent");
      heights.set(entry.agent, entry.seq);
    });
  }
  needAll(entries.length, leaves.length, "entry");
  return entries.length;
}

function readEntry(written) {
  const [, agent, hash, seq] = ENTRY.exec(written) ?? [];
  return agent ? { agent, hash, seq: Number(seq) } : null;
}

/**
 * Nothing that the log counts was left out of a chain. The log is the one that the chain's own
 * proof is from: signed by the same key, and continuing the proof's tree.
 */
async function checkCounted(file, log, brought) {
  const keys = { log: brought.log.size > 0 ? brought.log : (await keysOf(file)).log };
  const checkpoint = await readCheckpoint(keys, log.checkpoint);
  const agent = await hashOf(file.agent_id);
  const counted = log.entries.map(readEntry).filter((one) => one?.agent === agent);
  for (const [index, { hash }] of counted.entries()) {
    const isThere = file.events[index]?.event_hash === hash;
    if (!isThere) throw new Fault("the log counts another event here", "event", index + 1);
  }
  if (file.inclusion === null) return counted.length;
  const own = await readCheckpoint(keys, file.inclusion.checkpoint);
  need(own.origin === checkpoint.origin, "the chain is in a log of another name");
  const isNew = own.size <= checkpoint.size && own.size <= BigInt(log.entries.length);
  need(isNew, "the log is older than the chain's own checkpoint: take a newer one");
  const first = log.entries.slice(0, Number(own.size));
  const root = await rootOf(await Promise.all(first.map(leafHash)));
  need(isEqual(root, own.root), "it forks from the chain's own checkpoint: there are two logs");
  if (counted.length < file.inclusion_seq) {
    throw new Fault("the log does not have it", "event", counted.length + 1);
  }
  return counted.length;
}

async function rootOf(leaves) {
  let level = leaves;
  if (level.length === 0) return sha256(new Uint8Array());
  while (level.length > 1) {
    const pairs = [];
    for (let at = 0; at + 1 < level.length; at += 2) pairs.push(nodeHash(level[at], level[at + 1]));
    const rest = level.length % 2 === 1 ? [level.at(-1)] : [];
    level = [...(await Promise.all(pairs)), ...rest];
  }
  return level[0];
}

const leafHash = (entry) => sha256(joined(Uint8Array.of(0), bytes(entry)));
const nodeHash = (left, right) => sha256(joined(Uint8Array.of(1), left, right));

// Keys and signatures ---------------------------------------------------------------------------

const PEM = /-----BEGIN PUBLIC KEY-----\r?\n([A-Za-z0-9+/=\r\n]+?)-----END PUBLIC KEY-----/g;

/** Settle whose signatures count: a key that the file does not name signs nothing in it. */
async function takeKeys(bench, file, brought) {
  return check(bench, "keys", async () => {
    const own = await keysOf(file);
    const named = { signing: new Set(own.signing.keys()), log: new Set(own.log.keys()) };
    for (const sort of ["signing", "log"]) {
      const mine = [...brought[sort]];
      const shared = mine.filter(([name]) => named[sort].has(name));
      need(!mine.length || !named[sort].size || shared.length, "the file names none of your keys");
      bench[sort] = mine.length ? new Map(shared) : own[sort];
      if (!mine.length) bench.fingerprints.push(...[...own[sort].values()].map((one) => one.shown));
    }
    return bench.signing.size + bench.log.size;
  });
}

async function keysOf(file) {
  const found = { signing: new Map(), log: new Map() };
  for (const [index, one] of (file.public_keys ?? []).entries()) {
    await inRecord("key", index + 1, async () => {
      const [key, ...more] = await pemKeys(one.public_key_pem);
      need(one.public_key_pem.startsWith("-----BEGIN"), "it is no PEM");
      need(key && !more.length && key.id === one.kid, `it is not one key named ${one.kid}`);
      need(!found.signing.has(key.id), "it is there twice");
      found.signing.set(key.id, key);
    });
  }
  for (const [index, one] of file.log_keys.entries()) {
    await inRecord("key", found.signing.size + index + 1, async () => {
      const key = await logKey(one);
      found.log.set(key.shown, key);
    });
  }
  return found;
}

/** Files with keys: PEM, what the server publishes, or a log's key as text. */
async function keysBrought(contents) {
  const found = { signing: new Map(), log: new Map() };
  for (const content of contents) {
    const written = decoded(content).trim();
    for (const key of await signingKeysIn(written)) found.signing.set(key.id, key);
    for (const key of await logKeysIn(written)) found.log.set(key.shown, key);
    if (found.signing.size + found.log.size === 0) throw new WrongKind("There is no key in this.");
  }
  return found;
}

async function signingKeysIn(written) {
  if (!written.startsWith("{")) return pemKeys(written);
  const keys = list(parsed(written).keys).filter((one) => one.alg === "Ed25519");
  return (await Promise.all(keys.map((one) => pemKeys(text(one.public_key_pem))))).flat();
}

async function logKeysIn(written) {
  if (LOG_KEY.test(written)) return [await logKey(written)];
  const named = written.startsWith("{") ? parsed(written).log?.verifier_key : undefined;
  return named === undefined ? [] : [await logKey(named)];
}

async function pemKeys(pem) {
  const found = [];
  for (const [, written] of pem.matchAll(PEM)) {
    const octets = base64(written.replace(/\s/g, ""));
    need(octets, "a key is not base64");
    const key = await crypto.subtle.importKey("spki", octets, "Ed25519", true, ["verify"]);
    const hash = await sha256(new Uint8Array(await crypto.subtle.exportKey("raw", key)));
    found.push({ id: hex(hash).slice(0, 16), key, shown: `sha256:${hex(hash)}` });
  }
  return found;
}

async function logKey(written) {
  const [, name, id, encoded] = LOG_KEY.exec(written) ?? [];
  const octets = name ? base64(encoded) : null;
  need(octets && octets.length === 33 && octets[0] === 1, `${written} is no key of a log`);
  const hash = await sha256(joined(bytes(`${name}\n`), octets));
  need(hex(hash).startsWith(id), `the key of ${name} has another id`);
  const key = await crypto.subtle.importKey("raw", octets.slice(1), "Ed25519", true, ["verify"]);
  return { name, id: hash.slice(0, 4), key, shown: written };
}

async function checkSignature(bench, one, message) {
  const by = bench.signing.get(one.key_id);
  need(by, `the key ${one.key_id} is not one of those that count`);
  const written = text(one.signature);
  const octets = written.startsWith("ed25519:") ? base64(written.slice("ed25519:".length)) : null;
  const isGenuine = octets && (await isSignature(by.key, octets, bytes(message)));
  need(isGenuine, "its signature is not genuine");
}

async function isSignature(key, signature, message) {
  return signature.length === 64 && crypto.subtle.verify("Ed25519", key, signature, message);
}

// Bytes, numbers and JSON -----------------------------------------------------------------------

const MILLION = 1_000_000n;
const MONEY = /^([0-9]+)(?:\.([0-9]{1,6}))?$/;
const RATE = /^([0-9]{1,12})(?:\.([0-9]{1,12}))?$/;
const PLAIN = /[^"\\\u0000-\u001f]*/.source;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/.source;
const STRING = `"${PLAIN}(?:${ESCAPE}${PLAIN})*"`;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/.source;
const TOKENS = `[ \\t\\n\\r]*(?:([{}[\\],:])|(${STRING})|(${NUMBER})|(true|false|null))`;
const DEPTH_MAX = 128;

/** A number that is not whole; its text is kept, and nothing of ours has one where it is signed. */
class Fraction {
  constructor(written) {
    this.written = written;
  }

  valueOf() {
    return Number(this.written);
  }
}

const KEY = { kid: "text", alg: "Ed25519", public_key_pem: "text" };
const EVENT = {
  ...{ payload: "text", previous_hash: "text or null", event_hash: "text", key_id: "text" },
  signature: "text",
};
const SIGNED = { signed_text: "text", key_id: "text", signature: "text" };
const DECISION = { decision_id: "text", snapshot: "text", decision: "text or null" };
const PROOF = { log_index: "whole", tree_size: "whole", hashes: ["text"], checkpoint: "text" };
const PROVEN = { inclusion: { ...PROOF, isNullable: true }, inclusion_pending: "text or null" };
const KEYS = { public_keys: [KEY], log_keys: ["text"] };
const SHAPES = {
  [RECEIPT_DOCUMENT]: {
    ...{ format: "text", ...SIGNED, ...KEYS, ...PROVEN, events: [EVENT] },
    decision: { ...DECISION, isNullable: true },
  },
  [CHAIN_EXPORT]: {
    ...{ format: "text", agent_id: "text", ...KEYS, ...PROVEN, end: SIGNED, events: [EVENT] },
    inclusion_seq: "whole or null",
  },
  [LOG_EXPORT]: {
    ...{ format: "text", log_keys: ["text"], checkpoint: "text", entries: ["text"] },
    leaf_hashes: ["text"],
  },
};
const ASKED_FOR = { receipts: [SIGNED], decisions: [DECISION] };

const SORTS = {
  text: (value) => typeof value === "string",
  Ed25519: (value) => value === "Ed25519",
  whole: (value) => Number.isSafeInteger(value) && value >= 0,
  "text or null": (value) => value === null || typeof value === "string",
  "whole or null": (value) => value === null || Number.isSafeInteger(value),
};

/** A file has the members that are described, of the sorts that are described, and no others. */
function needShape(value, shape, where, place = null) {
  const isRight = (holds) => {
    if (!holds) throw new Fault("it is not as described", where, place);
  };
  if (Array.isArray(shape)) {
    isRight(Array.isArray(value));
    value.forEach((one, index) => needShape(one, shape[0], where, place ?? index + 1));
  } else if (typeof shape === "string") {
    isRight(SORTS[shape](value));
  } else if (value !== null || !shape.isNullable) {
    const names = Object.keys(shape).filter((name) => name !== "isNullable");
    isRight(isObject(value) && Object.keys(value).length === names.length);
    isRight(names.every((name) => Object.hasOwn(value, name)));
    for (const name of names) needShape(value[name], shape[name], place ? where : name, place);
  }
}

/** Read a file. Throws WrongKind for what is none, and Fault for one that is not in form. */
function readFile(content) {
  let file = null;
  try {
    file = parsed(decoded(content));
  } catch (problem) {
    if (problem instanceof Fault) throw problem;
    throw new WrongKind(`This is no JSON: ${problem.message}.`);
  }
  if (!isObject(file) || !Object.hasOwn(FORMATS, file.format)) {
    throw new WrongKind("This is no receipt, no chain and no log of Ainfera's.");
  }
  const shape = SHAPES[file.format];
  const isFull = file.format === CHAIN_EXPORT && ("receipts" in file || "decisions" in file);
  const isReceipt = file.format === RECEIPT_DOCUMENT;
  const own = Object.entries(file).filter(([name]) => !isReceipt || Object.hasOwn(shape, name));
  needShape(Object.fromEntries(own), isFull ? { ...shape, ...ASKED_FOR } : shape, "the file");
  return file;
}

/** Read JSON strictly: a name stands once in an object, and whole numbers stay exact. */
function parsed(written) {
  const token = new RegExp(TOKENS, "y");
  const next = () => {
    const found = token.exec(written);
    if (!found) throw new SyntaxError("it is not JSON");
    return found;
  };
  const value = readValue(next, next(), 0);
  if (/[^ \t\n\r]/.test(written.slice(token.lastIndex))) throw new SyntaxError("it goes on");
  return value;
}

function readValue(next, [, mark, string, number, word], depth) {
  if (depth > DEPTH_MAX) throw new SyntaxError("it is nested too deep");
  if (string !== undefined) return JSON.parse(string);
  if (word !== undefined) return JSON.parse(word);
  if (number !== undefined) return readNumber(number);
  if (mark === "[") return readList(next, depth);
  if (mark === "{") return readObject(next, depth);
  throw new SyntaxError("it is not JSON");
}

function readNumber(written) {
  if (!/^-?(?:0|[1-9][0-9]*)$/.test(written) || written === "-0") return new Fraction(written);
  return Number.isSafeInteger(Number(written)) ? Number(written) : BigInt(written);
}

function readList(next, depth) {
  const values = [];
  for (let token = next(); token[1] !== "]"; token = next()) {
    if (values.length > 0) {
      if (token[1] !== ",") throw new SyntaxError("it is not JSON");
      token = next();
    }
    values.push(readValue(next, token, depth + 1));
  }
  return values;
}

function readObject(next, depth) {
  const members = new Map();
  for (let token = next(); token[1] !== "}"; token = next()) {
    if (members.size > 0) {
      if (token[1] !== ",") throw new SyntaxError("it is not JSON");
      token = next();
    }
    if (token[2] === undefined || next()[1] !== ":") throw new SyntaxError("it is not JSON");
    const name = JSON.parse(token[2]);
    need(!members.has(name), `${name} stands twice in an object`);
    members.set(name, readValue(next, next(), depth + 1));
  }
  return Object.fromEntries(members);
}

/** Read a text that has to be the canonical JSON of an object. */
function canonicalObject(written) {
  const value = parsed(text(written));
  need(isObject(value) && canonical(value) === written, "its text is not canonical JSON");
  return value;
}

function canonical(value) {
  if (value instanceof Fraction) throw new Fault("it has a number that is not whole");
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value === "bigint") return value.toString();
  if (!isObject(value)) return String(JSON.stringify(value));
  const member = (name) => `${JSON.stringify(name)}:${canonical(value[name])}`;
  return `{${Object.keys(value).sort().map(member).join(",")}}`;
}

function exactly(value, names) {
  need(isObject(value), "it is no object");
  const wanted = new Set(names);
  const missing = names.find((name) => !Object.hasOwn(value, name));
  const strange = Object.keys(value).find((name) => !wanted.has(name));
  need(missing === undefined, `${missing} is missing`);
  need(strange === undefined, `${strange} does not belong here`);
}

function isObject(value) {
  const isOne = typeof value === "object" && value !== null && !Array.isArray(value);
  return isOne && !(value instanceof Fraction);
}

function list(value) {
  need(Array.isArray(value), "a list is missing");
  return value;
}

function text(value) {
  need(typeof value === "string", "a text is missing");
  return value;
}

function whole(value) {
  need(Number.isSafeInteger(value) || typeof value === "bigint", "a number is missing");
  need(value >= 0, "a number is negative");
  return BigInt(value);
}

/** An amount in millionths. */
function money(written) {
  const [, dollars, fraction = ""] = MONEY.exec(text(written)) ?? [];
  need(dollars, `${written} is no amount`);
  return BigInt(dollars) * MILLION + BigInt(fraction.padEnd(6, "0"));
}

const least = (one, other) => (one < other ? one : other);
const isEqual = (one, other) => hex(one) === hex(other);
const hex = (octets) => Array.from(octets, (octet) => octet.toString(16).padStart(2, "0")).join("");
const sha256 = async (octets) => new Uint8Array(await crypto.subtle.digest("SHA-256", octets));
const hashOf = async (written) => hex(await sha256(bytes(written)));

/** The bytes of a text; half a character has none. */
function bytes(written) {
  need(written.isWellFormed(), "a text holds half a character");
  return new TextEncoder().encode(written);
}

function decoded(content) {
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(content);
}

function joined(...parts) {
  const octets = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    octets.set(part, at);
    at += part.length;
  }
  return octets;
}

/** Decode base64 in its one spelling; null for anything else. */
function base64(written) {
  try {
    const decodedText = atob(written);
    const octets = Uint8Array.from(decodedText, (character) => character.charCodeAt(0));
    return btoa(decodedText) === written ? octets : null;
  } catch {
    return null;
  }
}

/** The 32 bytes of a hash, in hex or as told. */
function hashOctets(written, decode = unhex) {
  const octets = decode(text(written));
  need(octets && octets.length === 32, "a hash is not one");
  return octets;
}

function unhex(written) {
  if (!/^(?:[0-9a-f]{2})*$/.test(written)) return null;
  return Uint8Array.from(written.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}
