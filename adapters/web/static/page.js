// What pages do beside being read: times in the reader's zone, numbers that change by themselves, values under the
// pointer, and buying. Without it everything is there, but of when the page was asked for.
"use strict";

const announce = text => { document.querySelector("[data-announce]").textContent = text; };

// Times: in the reader's zone, UTC stays on hover.
const forms = {
  time: new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" }),
  date: new Intl.DateTimeFormat(undefined, { dateStyle: "long" }),
};
const localise = root => {
  for (const t of root.querySelectorAll("time[datetime]")) {
    const at = new Date(t.dateTime);
    if (!isNaN(at)) t.textContent = (forms[t.className] || forms.time).format(at);
  }
};

// Live: what the stream tells of is read from the server anew, so that a page shows what the server would.
const pause = 500;
let reading = false, again = false;
const refresh = async () => {
  if (reading) { again = true; return; }
  reading = true;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (answer.ok) take(new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch { /* The stream says so, and comes again. */ }
  await new Promise(done => setTimeout(done, pause));
  reading = false;
  if (again) { again = false; refresh(); }
};

// take puts what another reading of the page has into this one. What the reader is in is left alone.
const take = fresh => {
  localise(fresh);
  document.body.dataset.size = fresh.body.dataset.size;
  for (const region of document.querySelectorAll("[data-live-region]")) {
    const now = fresh.querySelector(`[data-live-region="${CSS.escape(region.dataset.liveRegion)}"]`);
    if (!now || now.innerHTML === region.innerHTML || region.contains(document.activeElement)) continue;
    const open = [...region.querySelectorAll("details")].map(d => d.open);
    region.replaceChildren(...now.childNodes);
    region.querySelectorAll("details").forEach((d, i) => { d.open = open[i] || false; });
  }
  for (const table of document.querySelectorAll("table.side")) {
    const now = fresh.querySelector(`table.side.${table.classList[1]}`);
    if (now) table.className = now.className;
  }
  const numbers = new Map([...fresh.querySelectorAll("[data-key]")].map(e => [e.dataset.key, e]));
  for (const number of document.querySelectorAll("[data-key]")) {
    const now = numbers.get(number.dataset.key);
    if (!now || now.innerHTML === number.innerHTML) continue;
    const changed = now.textContent !== number.textContent;
    number.replaceChildren(...now.childNodes);
    if (!changed) continue;
    number.classList.remove("changed");
    void number.offsetWidth; // begins the mark anew
    number.classList.add("changed");
    if (number.dataset.key === "total") announce(`Total Twei Earned: ${number.textContent.trim()}`);
  }
};

const listen = () => {
  const query = document.body.dataset.live;
  if (query === undefined) return;
  const state = document.querySelector("[data-live-state]");
  const said = state && state.textContent;
  const stream = new EventSource(`/v1/stream?${query}`);
  stream.addEventListener("statement", event => {
    if (JSON.parse(event.data).size > Number(document.body.dataset.size)) refresh();
  });
  stream.onopen = () => { if (state) state.textContent = said; };
  stream.onerror = () => { if (state) state.textContent = "not live now, trying again"; };
  addEventListener("pagehide", () => stream.close());
};

// Values under the pointer, of a course's chart.
const tip = document.createElement("div");
tip.className = "tip";
tip.hidden = true;
const value = text => (text.startsWith("-") ? "−" + text.slice(1) : text);
const point = event => {
  const hit = event.target.closest && event.target.closest("g.hit[data-time]");
  tip.hidden = !hit;
  if (!hit) return;
  const days = hit.parentNode.dataset.unit === "day";
  const at = new Date(hit.dataset.time);
  const when = days ? at.toLocaleDateString(undefined, { dateStyle: "medium", timeZone: "UTC" }) + " UTC" : forms.time.format(at);
  const { profit, loss, total } = hit.dataset;
  tip.textContent = `${when}\nProfit ${value(profit)}\nLoss ${value(loss)}\nTotal ${value(total)}`;
  const title = hit.querySelector("title");
  if (title) title.remove();
  const room = document.documentElement.clientWidth - tip.offsetWidth - 12;
  tip.style.left = `${scrollX + Math.max(8, Math.min(event.clientX + 14, room))}px`;
  tip.style.top = `${scrollY + event.clientY + 16}px`;
};

// Buying: the platform may take it over; where the service is open the page buys by itself, and a key is kept until it
// is known what became of it.
const refusals = {
  401: "Buying needs a token here: the platform buys.", 403: "Buying needs a token with the role write: the platform buys.",
  404: "There is no such post.", 409: "This key was used for another post. Try again.",
};
const newKey = () => {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, b => b.toString(16).padStart(2, "0")).join("");
};
const buying = button => {
  const status = document.querySelector("[data-bought]");
  let key = "";
  button.hidden = false;
  button.addEventListener("click", async event => {
    if (event.detail > 1) return; // the second click of a double click
    const detail = { post: button.dataset.post, account: button.dataset.account };
    const wanted = button.dispatchEvent(new CustomEvent("tweiledger-buy", { detail, bubbles: true, composed: true, cancelable: true }));
    if (!wanted || button.disabled) return;
    if (!("open" in document.body.dataset)) { status.textContent = refusals[401]; return; }
    if (!detail.account) {
      status.textContent = "Say who you are first: a report is bought by an account.";
      document.getElementById("account")?.focus();
      return;
    }
    button.disabled = true;
    key ||= newKey();
    status.textContent = "Buying …";
    try {
      const answer = await fetch(`/v1/posts/${encodeURIComponent(detail.post)}/reports`, {
        method: "POST", headers: { "Content-Type": "application/json", "Idempotency-Key": `"${key}"` },
        body: JSON.stringify({ account_id: detail.account }),
      });
      const outcome = await answer.json();
      if (answer.ok) {
        const link = document.createElement("a");
        link.href = `/reports/${encodeURIComponent(outcome.report_id)}`;
        link.textContent = "Open the report";
        status.replaceChildren("Bought. ", link);
      } else {
        status.textContent = refusals[answer.status] || `Not bought yet: ${outcome.detail || answer.statusText}. Try again, it is charged once.`;
      }
      if (answer.status < 500) key = "";
    } catch {
      status.textContent = "No answer came. Try again: it is charged once.";
    }
    button.disabled = false;
  });
};

localise(document);
document.body.append(tip);
addEventListener("pointermove", point, { passive: true });
document.querySelectorAll("button[data-buy]").forEach(buying);
listen();
