// Decisions on their way to the server. They are kept in the tab's storage until the server has written them down, so
// that neither another page nor a reload loses one; the outbox (outbox/browser.js) sends them, from whichever page is open.
const OUTBOX = "avion-outbox"

function waitingDecisions() {
  return JSON.parse(sessionStorage.getItem(OUTBOX) || "[]")
}

function keepDecisions(decisions) {
  sessionStorage.setItem(OUTBOX, JSON.stringify(decisions))
}

// Numbers rise within the tab, also after a reload and when the clock is set back; a token names a decision for good.
function postDecision(component, { project, reviewer }, decision) {
  const waiting = waitingDecisions()
  const last = Math.max(window.avionSequence || 0, ...waiting.map((one) => one.seq))
  window.avionSequence = Math.max(last + 1, Date.now())
  window.avionTab = window.avionTab || Math.random().toString(36).slice(2, 10)
  const seq = window.avionSequence
  keepDecisions([...waiting, { seq, token: `${window.avionTab}-${seq}`, component, project, reviewer, ...decision }])
  window.dispatchEvent(new Event(OUTBOX))
}

// Keys are quiet while a field has the focus. Among filters ("filters..." as their container's key) Esc gives them back
// to the page at once, and so does choosing an option, or Enter behind words to search for.
function giveKeysBack() {
  if (window.avionGivesKeysBack) return
  window.avionGivesKeysBack = true
  const amongFilters = (target) => target?.closest?.("[class*='st-key-filters']")
  const release = () => setTimeout(() => amongFilters(document.activeElement) && document.activeElement.blur(), 100)
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" || event.key === "Enter") amongFilters(event.target) && release()
  })
  // An option is gone before its click comes: the press is what can be seen of it.
  document.addEventListener(
    "pointerdown",
    (event) => event.target?.closest?.("[role=option]") && document.addEventListener("pointerup", release, { once: true }),
    true,
  )
}

// What the server has not written down yet of the decisions made with one component in one project.
function waitingOf(component, data) {
  const own = (one) => one.component === component && one.project === data.project && one.seq > data.taken
  return waitingDecisions().filter(own)
}

// From now on the page's keys go to `press`, and to nobody else; in the capture phase, ahead of the app's own shortcuts.
// Gives what ends it. Something that appears above a component (an alert, say) has Streamlit draw it a second time and
// take the first away afterwards: what the first one ends must be its own listening, never the second one's.
function takeKeys(press) {
  const listener = (event) => press(event)
  document.removeEventListener("keydown", window.avionKeyListener, true)
  window.avionKeyListener = listener
  document.addEventListener("keydown", listener, true)
  return () => document.removeEventListener("keydown", listener, true)
}
