// Announces the end of a job by the browser's own notification, where it is allowed and the tab is not looked at: a toast
// says so otherwise. Each end is announced once.

const ANNOUNCED = "avion-announced"

export default function ({ data, parentElement }) {
  const ask = parentElement.querySelector(".ask")
  const able = "Notification" in window // not over plain HTTP from another machine
  const offer = () => (ask.hidden = !(able && data.asks && Notification.permission === "default"))
  ask.onclick = () => Notification.requestPermission().then(offer)
  offer()
  const announced = new Set(JSON.parse(sessionStorage.getItem(ANNOUNCED) || "[]"))
  for (const [job, said] of data.ended) {
    if (announced.has(job)) continue
    announced.add(job)
    if (able && Notification.permission === "granted" && document.hidden) new Notification("AVION Studio", { body: said })
  }
  sessionStorage.setItem(ANNOUNCED, JSON.stringify([...announced]))
}
