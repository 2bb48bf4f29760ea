/* Live figures: /metrics is read every two seconds while the page is seen. */

const INTERVAL = 2000;
const SAMPLES = 31; /* a minute */

/* [{name, labels, value}] of Prometheus's text form. */
function parseMetrics(text) {
    return [...text.matchAll(/^(\w+)(?:\{(.*)\})? (\S+)$/gm)].map(([, name, labels, value]) => ({
        name,
        labels: Object.fromEntries(
            [...(labels ?? "").matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key, text]) => [
                key,
                text,
            ]),
        ),
        value: Number(value),
    }));
}

function sum(samples, name, wanted = () => true) {
    return samples
        .filter((s) => s.name === name && wanted(s.labels))
        .reduce((total, s) => total + s.value, 0);
}

/* Observations of computing up to each bound, over all operations: Map of bound to count. */
function computeBuckets(samples) {
    const buckets = new Map();
    for (const { name, labels, value } of samples)
        if (name === "layerd_request_seconds_bucket" && labels.phase === "compute") {
            const bound = labels.le === "+Inf" ? Infinity : Number(labels.le);
            buckets.set(bound, (buckets.get(bound) ?? 0) + value);
        }
    return buckets;
}

/* A quantile of what came between two readings, taken evenly (of logarithms) within a bucket; NaN
 * where nothing came. */
function quantile(q, before, after) {
    const bounds = [...after.keys()].sort((a, b) => a - b);
    const counts = bounds.map((bound) => after.get(bound) - (before.get(bound) ?? 0));
    const rank = q * counts.at(-1);
    if (!(rank > 0)) return NaN;
    const i = counts.findIndex((count) => count >= rank);
    if (bounds[i] === Infinity) return bounds[i - 1];
    const lower = i > 0 ? bounds[i - 1] : bounds[0] / 2;
    const below = i > 0 ? counts[i - 1] : 0;
    return lower * (bounds[i] / lower) ** ((rank - below) / (counts[i] - below));
}

/* What the charts are of. The reading of /metrics is itself in flight: it is not counted. */
function readSample(text) {
    const samples = parseMetrics(text);
    return {
        at: performance.now(),
        calls: sum(
            samples,
            "layerd_requests_total",
            ({ layer, operation }) => layer !== "" || operation === "graph",
        ),
        running: Math.max(sum(samples, "layerd_requests_in_flight") - 1, 0),
        entries: sum(samples, "layerd_cache_entries"),
        cacheBytes: sum(samples, "layerd_cache_bytes"),
        buckets: computeBuckets(samples),
    };
}

function rate(samples, i) {
    if (i < 1) return 0;
    return (samples[i].calls - samples[i - 1].calls) / ((samples[i].at - samples[i - 1].at) / 1e3);
}

/* Of the last ten seconds. */
function computeTime(q, samples, i) {
    return quantile(q, samples[Math.max(i - 5, 0)].buckets, samples[i].buckets);
}

/* Each chart: what it is, its lines, and the text of the last values. */
const CHARTS = [
    {
        title: "Calls a second",
        lines: [rate],
        text: ([value]) => brief(Math.round(value * 10) / 10),
    },
    {
        title: "Compute, p50 · p99",
        lines: [
            (samples, i) => computeTime(0.5, samples, i),
            (samples, i) => computeTime(0.99, samples, i),
        ],
        text: (values) => (values.some(Number.isNaN) ? "–" : values.map(duration).join(" · ")),
    },
    {
        title: "Caches kept",
        lines: [(samples, i) => samples[i].cacheBytes],
        text: ([value], last) => `${last.entries} · ${bytes(value)}`,
    },
    {
        title: "Requests in flight",
        lines: [(samples, i) => samples[i].running],
        text: ([value]) => String(value),
    },
];

function makeChart({ title, lines, text }) {
    const value = element("p", { class: "figure" }, "–");
    const paths = lines.map((_, i) => drawing("path", { class: `line line-${i}` }));
    const picture = drawing(
        "svg",
        { viewBox: "0 0 120 32", preserveAspectRatio: "none", role: "img" },
        paths,
    );
    const node = element("div", { class: "chart" }, element("h2", {}, title), value, picture);
    const update = (samples) => {
        const rows = lines.map((line) => samples.map((_, i) => line(samples, i)));
        const highest = Math.max(...rows.flat().filter(Number.isFinite), Number.MIN_VALUE);
        const shown = text(
            rows.map((row) => row.at(-1)),
            samples.at(-1),
        );
        value.textContent = shown;
        picture.setAttribute("aria-label", `${title}: now ${shown}`);
        rows.forEach((row, i) => paths[i].setAttribute("d", linePath(row, highest)));
    };
    return { node, update };
}

/* The newest of up to `count` values at the right; a gap where there is no value, a dot where there
 * is one alone. */
function linePath(values, highest, count = SAMPLES) {
    const step = 118 / (count - 1);
    const left = 119 - (values.length - 1) * step;
    let pen = "M";
    return values
        .map((value, i) => {
            if (!Number.isFinite(value)) return ((pen = "M"), "");
            const point = `${pen}${(left + i * step).toFixed(1)} ${(30 - (value / highest) * 27).toFixed(1)}h0`;
            pen = "L";
            return point;
        })
        .join("");
}

function startLive(section) {
    const charts = CHARTS.map(makeChart);
    const samples = [];
    let refused = null; /* the token that may not see them: it is not asked with again */
    section.append(...charts.map((chart) => chart.node));
    const read = async () => {
        if (document.visibilityState !== "visible" || refused === token) return;
        const asked = token;
        try {
            const response = await ask("/metrics");
            section.hidden = response.status === 401 || response.status === 403;
            refused = section.hidden ? asked : null;
            if (!response.ok) throw new Error(response.statusText);
            samples.push(readSample(await response.text()));
            if (samples.length > SAMPLES) samples.shift();
            for (const chart of charts) chart.update(samples);
            section.classList.remove("stale");
        } catch {
            section.classList.add("stale"); /* the daemon is away: the last figures stay, faint */
        }
    };
    const again = async () => {
        await read();
        setTimeout(again, INTERVAL);
    };
    document.addEventListener("visibilitychange", read);
    again();
}
