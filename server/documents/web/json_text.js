/* JSON with its places: what a text says, and where in it each value stands. It is read as the daemon
 * reads it, with the bare words NaN and Infinity. */

const TOKEN =
    /[ \t\n\r]*(?:([{}[\],:])|("(?:[^"\\\0-\x1f]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|NaN|-?Infinity)|$)/y;

/* {value, places}: places has the start and the end of the value at each pointer. Throws what is
 * wrong, with its offset. */
function readPlaces(text) {
    const places = new Map();
    let [mark, word, start, end, last] = [null, null, 0, 0, 0];
    const fail = (sentence) => {
        throw Object.assign(new Error(sentence), { offset: start });
    };
    const advance = () => {
        last = end;
        TOKEN.lastIndex = end;
        const found = TOKEN.exec(text);
        start = end + text.slice(end).match(/^[ \t\n\r]*/)[0].length;
        if (!found) fail("this is neither a value nor a mark of JSON");
        [, mark, word] = found;
        end = TOKEN.lastIndex;
    };
    const members = (closing, member) => {
        advance();
        while (mark !== closing) {
            member();
            if (mark === closing) break;
            if (mark !== ",") fail(`“,” or “${closing}” is missing`);
            advance();
            if (mark === closing) fail("nothing follows the comma");
        }
        advance();
    };
    const readList = (pointer) => {
        const list = [];
        members("]", () => list.push(read(`${pointer}/${list.length}`)));
        return list;
    };
    const readObject = (pointer) => {
        const object = Object.create(null); /* where "__proto__" is a name as any other */
        members("}", () => {
            if (!word?.startsWith('"')) fail("a name in quotes is missing");
            const key = JSON.parse(word);
            advance();
            if (mark !== ":") fail("“:” is missing");
            advance();
            object[key] = read(`${pointer}/${pointerPart(key)}`);
        });
        return object;
    };
    const readWord = () => {
        if (word === undefined) fail("a value is missing");
        const value = /^-?[NI]/.test(word) ? word : JSON.parse(word);
        advance();
        return value;
    };
    const read = (pointer) => {
        const from = start;
        const value =
            mark === "[" ? readList(pointer) : mark === "{" ? readObject(pointer) : readWord();
        places.set(pointer, [from, last]);
        return value;
    };
    advance();
    const value = read("");
    if (mark || word) fail("the document has ended before this");
    return { value, places };
}

/* A name as a JSON pointer has it. */
function pointerPart(name) {
    return name.replaceAll("~", "~0").replaceAll("/", "~1");
}

/* Where the value at a pointer stands, or else the one in which it is missing. */
function placeAt(places, pointer) {
    while (!places.has(pointer)) pointer = pointer.slice(0, Math.max(pointer.lastIndexOf("/"), 0));
    return places.get(pointer);
}

/* "line 3, column 14" */
function lineText(text, offset) {
    const lines = text.slice(0, offset).split("\n");
    return `line ${lines.length}, column ${lines.at(-1).length + 1}`;
}
