// A sign-in form that the API's answers drive: one form for each action, one field for each input.
const main = document.querySelector("main"), message = document.querySelector("#message"), heading = document.querySelector("h1")
const words = { // what has no word here is shown by its code, so that a new action works before it has one
  identification: "Sign in", "first-factor": "Your password", granted: "You are signed in", identify: "Next", restart: "Not you?",
  cancel: "Cancel", identifier: "E-mail address", password: "Password", code: "Code", keep: "Keep me signed in", trust: "Trust this device",
}
const types = { text: "text", secret: "password", flag: "checkbox" }
const hints = { identifier: "username", password: "current-password", new_password: "new-password", code: "one-time-code" }
const over = ["expired", "stale", "cookie-required"] // what begins again
let view // the last answer with a View: its handle is good for the next step

async function call(path, body) { // cookies, Origin and Sec-Fetch-Site are the browser's part
  const post = body && { method: "POST", body: JSON.stringify(body) }
  const headers = { Accept: "application/json", ...(body && { "Content-Type": "application/json" }) }
  const answer = await fetch("/auth" + path, { ...post, headers })
  return { ...(await answer.json()), wait: Number(answer.headers.get("Retry-After")) } // seconds, whatever our clock says
}

async function send(body) {
  let answer = await call("/flow", body)
  const { error, wait } = answer
  if (!answer.flow_id && view) answer = await call("/flow/" + view.flow_id) // refused without a View: is it still there?
  if (!answer.flow_id && over.includes(error.code)) answer = await call("/flow", { goal: "sign-in", return_to: "/spa/" })
  if (answer.flow_id) await show((view = answer)) // beside a refusal too: it goes on with the handle of this answer
  message.textContent = error?.message ?? ""
  const refused = main.querySelector(`form[data-action="${body.action}"] button`)
  if (wait && refused) setTimeout(() => (refused.disabled = false), wait * 1000, (refused.disabled = true))
}

async function show({ outcome, need, actions }) {
  heading.textContent = words[outcome] ?? words[need] ?? need
  main.replaceChildren(...(outcome === "open" ? actions.map(form) : [await end(outcome)]))
  main.querySelector("input")?.focus()
}

function form({ name, inputs = [], connection }) {
  if (inputs.some((input) => !types[input.kind])) return "" // more than a form can do: leave it out
  const fields = inputs.map((input) => Object.assign(document.createElement("input"),
    { name: input.name, type: types[input.kind], required: !!input.required, autocomplete: hints[input.name] ?? "off" }))
  const filled = (field) => (field.type === "checkbox" ? field.checked : field.value)
  return button(words[name] ?? name, () => send({ flow: view.flow, action: name, ...(connection && { connection }),
    ...Object.fromEntries(fields.filter(filled).map((field) => [field.name, filled(field)])) }), name, fields)
}

async function end(outcome) {
  if (outcome !== "granted") return button("Sign in", () => send({ goal: "sign-in", return_to: "/spa/" }))
  heading.textContent += ", " + (await call("/session")).account.address
  return button("Sign out", () => call("/sign-out", {}).then(() => location.reload()))
}

function button(text, press, action, fields = []) {
  const form = document.createElement("form"), submit = Object.assign(document.createElement("button"), { textContent: text })
  form.append(...fields.map((field) => { const label = document.createElement("label"); label.append(words[field.name] ?? field.name, field); return label }), submit)
  form.dataset.action = action
  form.onsubmit = (event) => { event.preventDefault(); press() } // pressed twice it is one step: the second one is a look
  return form
}

if ((await call("/session")).session) await show({ outcome: "granted" })
else await send({ goal: "sign-in", return_to: "/spa/" })
