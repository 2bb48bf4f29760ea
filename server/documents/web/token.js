/* The token, where the daemon asks for one: kept for this tab, and sent with each call. */

const TOKEN_KEY = "layerd-token";
let token = "";
try {
    token = sessionStorage.getItem(TOKEN_KEY) ?? "";
} catch {
    /* a page that may keep nothing */
}

function setToken(text) {
    token = text.trim();
    try {
        if (token) sessionStorage.setItem(TOKEN_KEY, token);
        else sessionStorage.removeItem(TOKEN_KEY);
    } catch {
        /* until the page goes */
    }
}

function ask(path, { headers, ...options } = {}) {
    const authorization = token && { Authorization: `Bearer ${token}` };
    return fetch(addressOf(path), { ...options, headers: { ...headers, ...authorization } });
}

/* Shows the field; `changed` follows each change. */
function offerToken(form, changed) {
    const input = form.querySelector("input");
    form.hidden = false;
    form.addEventListener("submit", (event) => event.preventDefault());
    input.value = token;
    input.addEventListener("change", () => {
        setToken(input.value);
        changed();
    });
}
