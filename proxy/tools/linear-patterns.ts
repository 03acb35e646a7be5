/** The patterns of tools' schemas in a linear-time engine: what a model writes must not keep every stream of the process waiting. */
import type { RE2JS } from 're2js';

/** What ajv asks of an engine; `code` is for validators that are written to a file, which none is here. */
export interface PatternEngine {
  (pattern: string, flags: string): LinearPattern;
  code: string;
}

class LinearPattern {
  readonly #pattern: string;
  readonly #compiled: RE2JS | undefined;

  constructor(pattern: string, compiled: RE2JS | undefined) {
    this.#pattern = pattern;
    this.#compiled = compiled;
  }

  /** What no linear engine has, look-around and back references, fits: the tool itself judges these arguments. */
  test(text: string): boolean {
    return this.#compiled?.matcher(text).find() ?? true;
  }

  /** ajv takes patterns of the same text for the same one. */
  toString(): string {
    return this.#pattern;
  }
}

/** Imported when a tool is met, as most configs have none. */
export async function linearPatterns(): Promise<PatternEngine> {
  const { RE2JS: engine } = await import('re2js');
  const compile = (pattern: string): RE2JS | undefined => {
    try {
      return engine.compile(engine.translateRegExp(pattern));
    } catch {
      return undefined;
    }
  };
  return Object.assign((pattern: string) => new LinearPattern(pattern, compile(pattern)), { code: '' });
}
