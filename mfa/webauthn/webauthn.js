// Passkeys for forms that the server renders.
//
//	<form method="post" data-passkey="get" data-options='{"challenge":"…",…}' hidden>
//	  <input type="hidden" name="credential">
//	  <button name="action" value="passkey">Sign in with a passkey</button>
//	  <p role="alert" data-passkey-error="cancelled" hidden>You cancelled it, or it took too long. Try again.</p>
//	  <p role="alert" data-passkey-error="" hidden>That did not work. Try again, or sign in another way.</p>
//	</form>
//
// data-passkey is "create" (make one, when the form is submitted), "get" (use one, when it is submitted) or
// "autofill" (offer them in the page's field with autocomplete="username webauthn", from the start). The form
// stays hidden where the browser cannot do it. The answer goes into the field "credential", and the form is sent.
//
// data-options has the options as JSON. With data-options-url instead, the form is posted there and answered with
// {"publicKey": options, "fields": {…}}; fields are put into the form's hidden inputs of these names. Whatever
// fails is a code, in data-passkey-failed and an event "passkey-failed": unsupported, cancelled (or timed out;
// browsers do not tell), registered (this authenticator has one already), insecure (wrong site), network, failed.
(() => {
  "use strict";

  const decode = (text) =>
    Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
  const encode = (buffer) =>
    btoa(Array.from(new Uint8Array(buffer), (b) => String.fromCharCode(b)).join(""))
      .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

  const codes = {
    NotAllowedError: "cancelled", InvalidStateError: "registered", SecurityError: "insecure",
    NotSupportedError: "unsupported", NetworkError: "network",
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

  const optionsOf = async (form) => {
    if (!form.dataset.optionsUrl) return JSON.parse(form.dataset.options);
    const answer = await fetch(form.dataset.optionsUrl, {
      method: "POST", body: new URLSearchParams(new FormData(form)), headers: { Accept: "application/json" },
    }).catch(() => null);
    if (!answer?.ok) throw new DOMException("no options", "NetworkError");
    const { publicKey, fields = {} } = await answer.json();
    for (const [name, value] of Object.entries(fields)) {
      const input = form.elements.namedItem(name);
      if (input instanceof HTMLInputElement && input.type === "hidden") input.value = value;
    }
    return publicKey;
  };

  const fail = (form, error) => {
    const code = codes[error.name] || "failed";
    form.dataset.passkeyFailed = code;
    const words = [...form.querySelectorAll("[data-passkey-error]")];
    const shown = words.find((w) => w.dataset.passkeyError === code) || words.find((w) => !w.dataset.passkeyError);
    for (const w of words) w.hidden = w !== shown;
    form.dispatchEvent(new CustomEvent("passkey-failed", { bubbles: true, detail: { code } }));
  };

  const ask = async (form, mediation) => {
    if (pending) pending.abort();
    const ceremony = (pending = new AbortController());
    const options = await optionsOf(form);
    const request = { publicKey: parse(options), signal: ceremony.signal };
    if (mediation) request.mediation = mediation;
    // Autofill waits without end, and the server does not: it is ended while an answer would still be in time.
    const late = mediation && options.timeout && setTimeout(() => ceremony.abort("late"), options.timeout - 5000);
    try {
      ceremony.signal.throwIfAborted();
      const create = form.dataset.passkey === "create";
      const credential = await (create ? navigator.credentials.create(request) : navigator.credentials.get(request));
      form.elements.namedItem("credential").value = serialise(credential);
    } finally {
      clearTimeout(late);
      if (pending === ceremony) pending = null;
    }
  };

  const onSubmit = async (event) => {
    const form = event.currentTarget;
    if (form.elements.namedItem("credential").value) return; // the answer is in it
    event.preventDefault();
    if (form.dataset.passkeyBusy) return; // a double click
    form.dataset.passkeyBusy = "true";
    try {
      await ask(form);
      form.requestSubmit(event.submitter);
    } catch (error) {
      if (error.name !== "AbortError") fail(form, error);
    } finally {
      delete form.dataset.passkeyBusy;
    }
  };

  const autofill = async (form) => {
    try {
      await ask(form, "conditional");
      form.requestSubmit();
    } catch (error) {
      if (error === "late" && form.dataset.optionsUrl) await autofill(form); // with new options
      else if (error !== "late" && error.name !== "AbortError") fail(form, error);
    }
  };

  const start = async (form) => {
    if (!window.PublicKeyCredential) return;
    if (form.dataset.passkey !== "autofill") {
      form.addEventListener("submit", onSubmit);
      // A page that comes back from the history has an answer in it that was sent already.
      window.addEventListener("pageshow", (event) => {
        if (event.persisted) form.elements.namedItem("credential").value = "";
      });
      form.hidden = false;
    } else if (await PublicKeyCredential.isConditionalMediationAvailable?.()) {
      await autofill(form);
    }
  };

  for (const form of document.querySelectorAll("form[data-passkey]")) start(form);
})();
