/* Where the boxes of a graph stand, and how its arrows run: boxes in rows, each below all that it
 * uses; a value that is used further below passes the rows between on a lane of its own. */

const BETWEEN = 14; /* boxes and lanes of a row */
const FALL = 36; /* from row to row */
const SWEEPS = 8;

/* Gives boxes {left, top}, which have {width, height}, and uses their {path}; within `width`, unless
 * a row needs more. Returns the {width, height} of all. */
function layOut(boxes, width) {
    const values = boxes.flatMap((box) => box.values);
    for (const value of values) value.uses = [];
    for (const box of boxes) {
        Object.assign(box, { above: [], below: [], row: undefined });
        for (const use of box.uses) use.value?.uses.push(use);
    }
    const used = values.filter(({ uses }) => uses.length > 0);
    rankBoxes(boxes);
    const rows = makeRows(boxes, used, width);
    for (const value of used) addLanes(value, rows);
    settle(rows, width);
    const bands = makeBands(rows);
    for (const box of boxes) makePorts(box);
    for (const { uses } of used) for (const use of uses) use.path = pathOf(use, bands);
    return {
        width: Math.max(...boxes.map((box) => box.left + box.width)),
        height: bands.at(-1).bottom,
    };
}

/* What uses nothing stands just above the first that uses it. */
function rankBoxes(boxes) {
    const sources = (box) => box.uses.filter(({ value }) => value);
    for (const box of boxes)
        box.rank = 1 + Math.max(-1, ...sources(box).map(({ value }) => value.box.rank));
    for (const box of boxes)
        if (sources(box).length === 0) {
            const users = box.values.flatMap(({ uses }) => uses.map((use) => use.box.rank));
            box.rank = users.length ? Math.min(...users) - 1 : 0;
        }
}

/* A row a rank, or several where it and the lanes that pass it are too wide for one. */
function makeRows(boxes, used, width) {
    const rows = [];
    const highest = Math.max(...boxes.map(({ rank }) => rank));
    for (let rank = 0; rank <= highest; rank++) {
        let row = [];
        for (const box of boxes.filter((box) => box.rank === rank)) {
            box.row = rows.length;
            row.push(box);
            if (row.length === 1 || widthOf(row, used) <= width) continue;
            row.pop();
            rows.push(row);
            box.row = rows.length;
            row = [box];
        }
        rows.push(row);
    }
    return rows;
}

/* Of a row that is the last so far; the boxes that are in none have none. */
function widthOf(row, used) {
    const lanes = used.filter(
        ({ box, uses }) => box.row < row[0].row && uses.some((use) => use.box.row === undefined),
    );
    return row.reduce((sum, box) => sum + box.width + BETWEEN, BETWEEN * (lanes.length - 1));
}

function addLanes(value, rows) {
    const join = (upper, lower) => (upper.below.push(lower), lower.above.push(upper));
    const first = value.box.row;
    const last = Math.max(...value.uses.map(({ box }) => box.row));
    value.course = [value.box];
    for (let row = first + 1; row < last; row++) {
        const lane = { width: 0, above: [], below: [] };
        join(value.course.at(-1), lane);
        value.course.push(lane);
        rows[row].push(lane);
    }
    for (const { box } of value.uses) join(value.course[box.row - first - 1], box);
}

/* Sorts rows by what they are joined to, from above and from below in turn, and then straightens. */
function settle(rows, width) {
    const mean = (items, otherwise) =>
        items.length ? items.reduce((sum, { x }) => sum + x, 0) / items.length : otherwise;
    for (const row of rows) {
        for (const item of row) item.wish = width / 2;
        place(row, width);
    }
    for (let sweep = 0; sweep < SWEEPS; sweep++) {
        const down = sweep % 2 === 0;
        for (const row of down ? rows : [...rows].reverse()) {
            for (const item of row) item.wish = mean(down ? item.above : item.below, item.x);
            row.sort((a, b) => a.wish - b.wish);
            place(row, width);
        }
    }
    for (let sweep = 0; sweep < SWEEPS; sweep++)
        for (const row of sweep % 2 ? rows : [...rows].reverse()) {
            for (const item of row) item.wish = mean([...item.above, ...item.below], item.x);
            place(row, width);
        }
    const least = Math.min(...rows.flat().map(({ x, width }) => x - width / 2));
    for (const item of rows.flat()) {
        item.x -= least;
        item.left = item.x - item.width / 2;
    }
}

/* Each item of a row as near to where it wishes to be (in squares) as the order and the room let it:
 * neighbours that wish to pass one another move together. */
function place(row, width) {
    const blocks = [];
    let total = -BETWEEN;
    for (const item of row) {
        item.offset = total + BETWEEN + item.width / 2;
        total += item.width + BETWEEN;
        let block = { items: [item], shift: item.wish - item.offset };
        while (blocks.length && blocks.at(-1).shift > block.shift) {
            const before = blocks.pop();
            const [n, m] = [before.items.length, block.items.length];
            const shift = (before.shift * n + block.shift * m) / (n + m);
            block = { items: [...before.items, ...block.items], shift };
        }
        blocks.push(block);
    }
    for (const { items, shift } of blocks)
        for (const item of items)
            item.x = item.offset + Math.max(Math.min(shift, width - total), 0);
}

/* The top and the bottom of each row. */
function makeBands(rows) {
    let top = 0;
    return rows.map((row) => {
        for (const item of row) item.top = top;
        const band = { top, bottom: top + Math.max(...row.map(({ height = 0 }) => height)) };
        top = band.bottom + FALL;
        return band;
    });
}

/* Where arrows come in and go out, side by side as what they are joined to. */
function makePorts(box) {
    const spread = (ends, xOf) =>
        [...ends]
            .sort((a, b) => xOf(a) - xOf(b))
            .forEach((end, i) => (end.port = box.left + (box.width * (i + 1)) / (ends.length + 1)));
    spread(
        box.uses.filter(({ value }) => value),
        ({ value }) => value.course[box.row - value.box.row - 1].x,
    );
    spread(
        box.values.filter(({ uses }) => uses.length > 0),
        ({ course, uses }) => (course[1] ?? uses[0].box).x,
    );
}

function pathOf({ value, box, port }, bands) {
    const first = value.box.row;
    let x = value.port;
    let path = `M${x.toFixed(1)} ${value.box.top + value.box.height}`;
    for (let row = first; row < box.row; row++) {
        const [from, to] = [bands[row].bottom, bands[row + 1].top];
        const next = row + 1 === box.row ? port : value.course[row + 1 - first].x;
        const [a, b] = [x.toFixed(1), next.toFixed(1)];
        path += `V${from}C${a} ${(from + to) / 2} ${b} ${(from + to) / 2} ${b} ${to}`;
        x = next;
    }
    return path;
}
