// The outbox: sends the decisions that wait in the tab's storage, drops those that the server has written down, and says
// how many are left. The server is sent all of them each time (a state, not an event: the latest one wins and nothing
// falls between two runs).

const OUTBOXES = new WeakMap()
// Milliseconds until what the server could not write is sent again; twice as long each time, up to eight times. Sending
// has the page drawn anew: on a slow server it would never come to its end otherwise.
const AGAIN_AFTER = 3000

// What a page writes into its own address (project, filters) is no step to go back to: Streamlit makes one of it, so that
// leaving a page took two presses of Back.
function goBackByOnePress() {
  if (window.avionBack) return
  window.avionBack = true
  const push = window.history.pushState.bind(window.history)
  window.history.pushState = (state, title, address) => {
    const same = new URL(address, window.location.href).pathname === window.location.pathname
    if (same) window.history.replaceState(state, title, address)
    else push(state, title, address)
  }
}

class Outbox {
  constructor(root) {
    this.root = root
    this.sent = 0 // the number of the newest decision that was sent
    this.misses = 0 // how often in a row nothing could be written
    this.failures = 0 // how often the server had said that it cannot write
    this.attempt = 0 // makes what is sent again another state, which the server would not look at otherwise
    this.post = () => this.sendAll()
    this.warn = (event) => waitingDecisions().length && event.preventDefault()
  }

  receive(data, send) {
    this.send = send
    const before = waitingDecisions()
    keepDecisions(before.filter((one) => one.seq > data.taken))
    if (waitingDecisions().length < before.length) this.misses = 0
    this.paint()
    // After a reload, or another page, nobody has sent what waits here.
    const last = waitingDecisions().at(-1)
    if (last && last.seq > this.sent) this.sendAll()
    if (data.failures > this.failures) {
      this.failures = data.failures
      clearTimeout(this.again)
      const wait = AGAIN_AFTER * 2 ** Math.min(this.misses++, 3)
      this.again = setTimeout(() => waitingDecisions().length && this.sendAll(), wait)
    }
  }

  sendAll() {
    const waiting = waitingDecisions()
    this.sent = waiting.at(-1).seq
    this.attempt += 1
    this.send(waiting.map((one) => ({ ...one, attempt: this.attempt })))
    this.paint()
  }

  paint() {
    const count = waitingDecisions().length
    const note = this.root.querySelector(".waiting")
    note.hidden = count === 0
    note.textContent = `${count.toLocaleString()} not saved yet`
  }
}

export default function ({ data, parentElement, setStateValue }) {
  const outbox = OUTBOXES.get(parentElement) || new Outbox(parentElement)
  OUTBOXES.set(parentElement, outbox)
  giveKeysBack()
  goBackByOnePress()
  outbox.receive(data, (decisions) => setStateValue("queue", decisions))
  window.addEventListener(OUTBOX, outbox.post)
  window.addEventListener("beforeunload", outbox.warn)
  return () => {
    window.removeEventListener(OUTBOX, outbox.post)
    window.removeEventListener("beforeunload", outbox.warn)
  }
}
