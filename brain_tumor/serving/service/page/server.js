// Requests to the server that this page came from; nothing is asked of any other.

let key = "";

export class ServerError extends Error {
  constructor(message, leftOut = {}) {
    super(message);
    this.leftOut = leftOut;
  }
}

export async function models() {
  return (await ask("v1/models")).models;
}

/** Predict files: [{name, file}]; `model` is the name of a model. */
export async function predict(files, model, signal) {
  const form = new FormData();
  for (const { name, file } of files) form.append("files", file, name);
  return ask(`v1/models/${encodeURIComponent(model)}/predict?images=true`, { method: "POST", body: form, signal });
}

async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { ...options, headers: key ? { Authorization: `Bearer ${key}` } : {} });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServerError("The server does not answer; is it still running?");
  }
  if (response.status === 401) {
    key = await askForKey(key !== "");
    return ask(path, options);
  }
  const body = await response.json().catch(() => ({ error: `The server answered with status ${response.status}.` }));
  if (!response.ok) throw new ServerError(body.error, body.left_out);
  return body;
}

function askForKey(refused) {
  const dialog = document.getElementById("key");
  document.getElementById("key-refused").hidden = !refused;
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(document.getElementById("key-text").value.trim()), { once: true });
  });
}
