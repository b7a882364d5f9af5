// Passkeys for forms that the server renders.
//
//	<form method="post" action="…" data-passkey="get" data-passkey-options="/auth/passkey" hidden>
//	  <input type="hidden" name="credential">
//	  <button>Sign in with a passkey</button>
//	  <p role="alert" data-passkey-error="cancelled" hidden>You cancelled it, or it took too long. Try again.</p>
//	  <p role="alert" data-passkey-error="" hidden>That did not work. Try again, or sign in another way.</p>
//	</form>
//
// data-passkey is "get" (use one) or "create" (make one), when the form is submitted. A form with
// data-passkey-autofill also offers passkeys in the page's field with autocomplete="username webauthn", from the
// start. The form stays hidden where the browser cannot do it, and what has data-passkey-unsupported is shown instead.
//
// The form is first posted to data-passkey-options, which answers {"options": …, "action": …, "flow": …}: the options
// of the ceremony, where the form then goes, and the flow's next handle, which every form of the page gets. What the
// authenticator says goes into the field "credential", and the form is sent.
//
// Whatever fails is a code, in data-passkey-failed and an event "passkey-failed": unsupported, cancelled (or timed
// out; browsers do not tell), registered (this authenticator has one already), insecure (wrong site), refused (the
// server's own words are shown), network, failed. What fails while passkeys are offered unasked is not shown.
(() => {
  "use strict";

  const decode = (text) =>
    Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
  const encode = (buffer) =>
    btoa(Array.from(new Uint8Array(buffer), (b) => String.fromCharCode(b)).join(""))
      .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

  const codes = {
    NotAllowedError: "cancelled", InvalidStateError: "registered", SecurityError: "insecure",
    NotSupportedError: "unsupported", NetworkError: "network", Refused: "refused",
  };

  // A browser has one ceremony at a time; to begin another, the pending one must be ended.
  let pending = null;

  const parse = (options) => {
    const withID = (credential) => ({ ...credential, id: decode(credential.id) });
    const parsed = { ...options, challenge: decode(options.challenge) };
    if (options.user) parsed.user = withID(options.user);
    if (options.allowCredentials) parsed.allowCredentials = options.allowCredentials.map(withID);
    if (options.excludeCredentials) parsed.excludeCredentials = options.excludeCredentials.map(withID);
    return parsed;
  };

  // Written by hand: PublicKeyCredential.toJSON is missing in some browsers and broken by some extensions.
  const serialise = (credential) => {
    const from = credential.response;
    const response = { clientDataJSON: encode(from.clientDataJSON) };
    if (from.attestationObject) {
      response.attestationObject = encode(from.attestationObject);
      response.transports = from.getTransports ? from.getTransports() : [];
    } else {
      response.authenticatorData = encode(from.authenticatorData);
      response.signature = encode(from.signature);
      if (from.userHandle && from.userHandle.byteLength) response.userHandle = encode(from.userHandle);
    }
    const id = encode(credential.rawId);
    return JSON.stringify({ id, rawId: id, type: credential.type, response });
  };

  const begin = async (form, signal) => {
    const fields = new URLSearchParams(new FormData(form));
    if ("passkeyAutofill" in form.dataset) fields.set("flow", ""); // a page that waits for long outlives its flows
    const answer = await fetch(form.dataset.passkeyOptions, {
      method: "POST", body: fields, headers: { Accept: "application/json" }, signal,
    }).catch(() => null);
    const body = await answer?.json().catch(() => null);
    signal.throwIfAborted(); // the page belongs to the ceremony that was begun last
    if (!answer?.ok || !body) throw new DOMException(body?.error?.message ?? "", body?.error ? "Refused" : "NetworkError");
    form.action = body.action;
    for (const other of document.forms) {
      const handle = other.elements.namedItem("flow");
      if (handle instanceof HTMLInputElement) handle.value = body.flow;
    }
    return parse(body.options);
  };

  const fail = (form, error, unasked) => {
    const code = codes[error.name] || "failed";
    form.dataset.passkeyFailed = code;
    form.dispatchEvent(new CustomEvent("passkey-failed", { bubbles: true, detail: { code } }));
    if (unasked) return;
    const words = [...form.querySelectorAll("[data-passkey-error]")];
    const shown = words.find((w) => w.dataset.passkeyError === code) || words.find((w) => !w.dataset.passkeyError);
    for (const w of words) w.hidden = w !== shown;
    if (shown && code === "refused") shown.textContent = error.message;
  };

  const ask = async (form, mediation) => {
    pending?.abort();
    const ceremony = (pending = new AbortController());
    try {
      const request = { publicKey: await begin(form, ceremony.signal), signal: ceremony.signal };
      if (mediation) request.mediation = mediation;
      // Autofill waits without end, and the server does not: it begins anew while an answer would still be in time.
      const limit = request.publicKey.timeout;
      const late = mediation && limit && setTimeout(() => ceremony.abort("late"), limit - 5000);
      try {
        const create = form.dataset.passkey === "create";
        const credential = await (create ? navigator.credentials.create(request) : navigator.credentials.get(request));
        ceremony.signal.throwIfAborted(); // another one has begun in the same moment
        form.elements.namedItem("credential").value = serialise(credential);
      } finally {
        clearTimeout(late);
      }
    } finally {
      if (pending === ceremony) pending = null;
    }
  };

  const onSubmit = async (event) => {
    const form = event.currentTarget;
    for (const box of form.querySelectorAll("[data-passkey-like]")) { // what was ticked beside the other ways in
      box.disabled = !document.getElementById(box.dataset.passkeyLike)?.checked;
    }
    if (form.elements.namedItem("credential").value) return; // the answer is in it
    event.preventDefault();
    if (form.dataset.passkeyBusy) return; // a double click
    form.dataset.passkeyBusy = "true";
    try {
      await ask(form);
      form.requestSubmit(event.submitter);
    } catch (error) {
      if (error.name !== "AbortError") fail(form, error);
      autofill(form);
    } finally {
      delete form.dataset.passkeyBusy;
    }
  };

  // What nobody looks at asks the server for nothing.
  const seen = () => new Promise((go) => {
    const look = () => {
      if (document.hidden) return;
      document.removeEventListener("visibilitychange", look);
      go();
    };
    document.addEventListener("visibilitychange", look);
    look();
  });

  const autofill = async (form) => {
    if (!("passkeyAutofill" in form.dataset) || !await PublicKeyCredential.isConditionalMediationAvailable?.()) return;
    await seen();
    if (pending) return; // the button was faster
    try {
      await ask(form, "conditional");
      form.requestSubmit();
    } catch (error) {
      if (error === "late") await autofill(form);
      else if (error.name !== "AbortError") fail(form, error, true);
    }
  };

  const supported = Boolean(window.PublicKeyCredential);
  for (const instead of document.querySelectorAll("[data-passkey-unsupported]")) instead.hidden = supported;
  for (const form of document.querySelectorAll("form[data-passkey]")) {
    if (!supported) {
      delete form.dataset.passkey; // with which it would keep its place on the page
      continue;
    }
    form.addEventListener("submit", onSubmit);
    // A page that comes back from the history has an answer in it that was sent already.
    window.addEventListener("pageshow", (event) => {
      if (!event.persisted) return;
      form.elements.namedItem("credential").value = "";
      autofill(form);
    });
    form.hidden = false;
    autofill(form);
  }
})();
