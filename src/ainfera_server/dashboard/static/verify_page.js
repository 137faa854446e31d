// The page around verify.js: reads the chosen files, and shows what checking them found.

const form = document.getElementById("verify");
const at = (id) => document.getElementById(id);
const STYLES = { holds: "succeeded", fails: "failed", open: "refused" };

let newest = 0;

start();

/** Everything is loaded before a file can be chosen, so that the network may go away. */
async function start() {
  const { verify } = await import(form.dataset.verifier);
  const isAble = await canVerify();
  at("unable").hidden = isAble;
  for (const input of form.querySelectorAll("input")) {
    input.disabled = !isAble;
    input.addEventListener("change", () => checkChosen(verify));
  }
  form.addEventListener("submit", (event) => event.preventDefault());
}

async function canVerify() {
  try {
    await crypto.subtle.importKey("raw", new Uint8Array(32), "Ed25519", false, ["verify"]);
    return true;
  } catch {
    return false;
  }
}

/** Check what is chosen now; a choice that was made meanwhile makes this one's result void. */
async function checkChosen(verify) {
  const [file] = at("file").files;
  if (!file) return;
  const mine = ++newest;
  show("Checking …", file.name, []);
  try {
    const [log] = await contents("log");
    const report = await verify((await contents("file"))[0], { keys: await contents("keys"), log });
    if (mine === newest) showReport(report);
  } catch (problem) {
    if (mine === newest) show("Nothing was checked", problem.message, []);
  }
}

async function contents(id) {
  const octets = async (file) => new Uint8Array(await file.arrayBuffer());
  return Promise.all([...at(id).files].map(octets));
}

function showReport({ subject, holds, checks, fingerprints }) {
  show(holds ? verdictOf(checks) : "It does not hold", `This is ${subject}.`, checks);
  at("verdict").className = holds ? "good" : "bad";
  at("own-keys").hidden = fingerprints.length === 0;
  at("fingerprints").replaceChildren(...fingerprints.map((one) => element("li", one)));
}

function verdictOf(checks) {
  const open = checks.filter((one) => one.state === "open").map((one) => one.name);
  if (open.length === 0) return "All of it holds";
  const number = open.length === 1 ? "1 check" : `${open.length} checks`;
  const named = `${number} could not be made: ${open.join(", ")}`;
  return `Nothing is wrong in what could be checked; ${named}`;
}

function show(verdict, subject, checks) {
  at("verdict").textContent = verdict;
  at("verdict").className = "";
  at("subject").textContent = subject;
  at("checks").replaceChildren(...checks.map(row));
  at("own-keys").hidden = true;
  at("result").hidden = false;
}

function row({ name, state, count, record, place, sentence }) {
  const found = element("td");
  found.append(element("span", state, `state ${STYLES[state]}`));
  const where = record ? `${[record, place].filter(Boolean).join(" ")}: ` : "";
  const line = element("tr");
  const head = element("th", name);
  head.scope = "row";
  const number = element("td", String(count), "number");
  line.append(head, found, number, element("td", sentence ? `${where}${sentence}` : ""));
  return line;
}

function element(name, text = "", style = "") {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = style;
  return made;
}
