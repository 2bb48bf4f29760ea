/* Throws where two values are not alike. */
export function expect(got: unknown, want: unknown): void {
    const [text, wanted] = [JSON.stringify(got), JSON.stringify(want)];
    if (text !== wanted) throw new Error(`${text}, not ${wanted}`);
}
