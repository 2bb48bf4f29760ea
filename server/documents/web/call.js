/* Calls: a body is put together from the texts of a form's fields as they stand, so that it is the
 * daemon that judges what was typed. A field is {key, text()}, or a group {key, fields}. */

/* Pieces of text, each with the field that it is of. */
function objectPieces(fields) {
    const given = fields.filter((field) => field.fields || field.text() !== "");
    const members = given.flatMap((field, i) => [
        { text: `${i ? ", " : ""}${JSON.stringify(field.key)}: ` },
        ...(field.fields ? objectPieces(field.fields) : [{ text: field.text(), field }]),
    ]);
    return [{ text: "{" }, ...members, { text: "}" }];
}

function bodyOf(pieces) {
    return pieces.map((piece) => piece.text).join("");
}

/* The field whose text has the byte at that offset of the body, or ends before it. */
function fieldAtOffset(pieces, offset) {
    const encoder = new TextEncoder();
    let end = 0;
    let last = null;
    for (const { text, field } of pieces) {
        last = field ?? last;
        end += encoder.encode(text).length;
        if (offset < end) break;
    }
    return last;
}

/* The field that a JSON pointer is at, or in: "/x/3/1" is in x. */
function fieldAtPointer(fields, pointer) {
    const [key, ...rest] = pointer.slice(1).split("/");
    const found = fields.find((field) => field.key === key);
    return found?.fields
        ? (fieldAtPointer(found.fields, `/${rest.join("/")}`) ?? found.fields[0])
        : found;
}

function curlLine(target, body) {
    const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;
    const type = "-H 'Content-Type: application/json'";
    const bearer = token && ' -H "Authorization: Bearer $LAYERD_TOKEN"';
    return `curl -sS ${quoted(addressOf(target))} ${type}${bearer} -d ${quoted(body)}`;
}

/* {read: 0.02, ...} of "read;dur=0.02, ...", in milliseconds. */
function parseTiming(header) {
    return Object.fromEntries(
        [...(header ?? "").matchAll(/(\w+);dur=([\d.]+)/g)].map(([, phase, ms]) => [
            phase,
            Number(ms),
        ]),
    );
}

async function call(target, body) {
    const response = await ask(target, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body,
    });
    const text = await response.text();
    return {
        status: `${response.status} ${response.statusText}`,
        good: response.ok,
        text,
        json: JSON.parse(text),
        timing: parseTiming(response.headers.get("Server-Timing")),
    };
}
