/** The patterns of tools' schemas in a linear-time engine: what a model writes must not keep every stream of the process waiting. */

export interface LinearPattern {
  test(text: string): boolean;
  /** What tells it from others. */
  toString(): string;
}

/** What ajv asks of an engine; `code` is for validators that are written to a file, which none is here. */
export interface PatternEngine {
  (pattern: string, flags: string): LinearPattern;
  code: string;
}

/** Imported when a tool is met, as most configs have none. */
export async function linearPatterns(): Promise<PatternEngine> {
  const { RE2JS } = await import('re2js');
  const engine = (pattern: string): LinearPattern => {
    const toString = (): string => pattern;
    try {
      const compiled = RE2JS.compile(RE2JS.translateRegExp(pattern));
      return { test: (text) => compiled.matcher(text).find(), toString };
    } catch {
      // Look-around and back references, which no linear engine has: the tool itself judges these arguments.
      return { test: () => true, toString };
    }
  };
  return Object.assign(engine, { code: '' });
}
