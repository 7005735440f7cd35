// Drafts: a copy of what was typed and not saved, in the tab's storage. What is typed into a form reaches the server with
// its button alone, so it is listened to here, and sent when another page is opened or after a refresh.

const DRAFTS = "avion-drafts"
const TYPED = "avion-typed"

function stored(name) {
  return JSON.parse(sessionStorage.getItem(name) || "{}")
}

function keep(name, values) {
  sessionStorage.setItem(name, JSON.stringify(values))
}

class Drafts {
  receive(data, send) {
    const before = this.data
    // After a refresh, or where the server has begun another session for this tab.
    const fresh = data.fresh && (!before || data.run < before.run)
    this.data = data
    let typed = stored(TYPED)
    typed = Object.fromEntries(Object.entries(typed).filter(([name, one]) => !(data.forgotten[name] >= one.run)))
    const values = fresh ? stored(DRAFTS) : {}
    if (fresh || (before && before.page !== data.page)) {
      for (const [name, one] of Object.entries(typed)) values[name] = one.value
      typed = {}
    }
    keep(TYPED, typed)
    keep(DRAFTS, { ...data.values, ...values })
    if (Object.keys(values).length) send({ number: Date.now(), run: data.run, values })
  }

  nameOf(target) {
    const box = target?.closest?.("[class*='st-key-']")
    if (!box || !this.data) return ""
    return [...box.classList].map((one) => this.data.watched[one]).find(Boolean) || ""
  }

  // A text while it is typed.
  note(event) {
    const name = this.nameOf(event.target)
    if (!name || !event.target.closest("[data-testid=stTextInput], [data-testid=stTextArea]")) return
    keep(TYPED, { ...stored(TYPED), [name]: { value: JSON.stringify(event.target.value), run: this.data.run } })
  }

  // Outside of forms the server hears of a text when it is left: it is no longer for this side to keep.
  settle(event) {
    const name = this.nameOf(event.target)
    if (!name || event.target.closest("[data-testid=stForm]")) return
    const typed = stored(TYPED)
    delete typed[name]
    keep(TYPED, typed)
  }
}

const ONE = (window.avionDrafts = window.avionDrafts || new Drafts())

export default function ({ data, setStateValue }) {
  ONE.receive(data, (sent) => setStateValue("sent", sent))
  // Each drawing ends its own listening alone, as with keys (`takeKeys`); what is noted twice is the same.
  const note = (event) => ONE.note(event)
  const settle = (event) => ONE.settle(event)
  document.addEventListener("input", note, true)
  document.addEventListener("focusout", settle, true)
  return () => {
    document.removeEventListener("input", note, true)
    document.removeEventListener("focusout", settle, true)
  }
}
