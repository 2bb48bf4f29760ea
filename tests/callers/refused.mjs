// Who sends a body that is refused on the way reads the answer: Node's fetch and its http module.
//
//     node refused.mjs URL            bodies over the limit
import http from "node:http";

const ROUNDS = 12;
const MIB = 1 << 20;
const url = process.argv[2] + "/relu/forward";
const headers = { "Content-Type": "application/json" };

async function byFetch(body) {
    const answer = await fetch(url, { method: "POST", headers, body });
    return [answer.status, (await answer.json()).code];
}

function byHttp(body) {
    return new Promise((resolve, reject) => {
        const request = http.request(url, { method: "POST", headers, agent: false }, (answer) => {
            let text = "";
            answer.on("data", (piece) => (text += piece));
            answer.on("end", () => resolve([answer.statusCode, JSON.parse(text).code]));
        });
        request.on("error", reject);
        request.end(body);
    });
}

let failed = 0;
for (const call of [byFetch, byHttp])
    for (const length of [MIB + 1, 3 * MIB, 20 * MIB])
        for (let round = 0; round < ROUNDS; round++) {
            let got;
            try {
                got = await call(Buffer.alloc(length, " "));
            } catch (error) {
                got = [error.cause?.code ?? error.code ?? error.message];
            }
            if (got[0] === 413 && got[1] === "body_too_large") continue;
            failed++;
            console.log(`  ${call.name}, ${length} bytes: ${got}`);
        }
console.log(`node: ${6 * ROUNDS - failed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);
