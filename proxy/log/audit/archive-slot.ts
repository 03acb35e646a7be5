/** The archive of the config in force, if it has one: begun, changed, or removed with everything in it. */
import type { CompiledAudit } from '#contract/compiled.ts';
import type { Target } from '../targets/target.ts';
import { Archive, type ArchiveServices, removeArchive } from './archive.ts';

export class ArchiveSlot {
  readonly #stateDirectory: string;
  readonly #services: ArchiveServices;
  #archive: Archive | undefined;
  /** What was there before; a new one begins only when it is gone. */
  #removed: Promise<void> = Promise.resolve();

  constructor(stateDirectory: string, services: ArchiveServices) {
    this.#stateDirectory = stateDirectory;
    this.#services = services;
  }

  get archive(): Archive | undefined {
    return this.#archive;
  }

  get targets(): readonly Target[] {
    return this.#archive ? [this.#archive] : [];
  }

  configure(audit: CompiledAudit | undefined): void {
    if (audit === undefined) {
      const archive = this.#archive;
      this.#archive = undefined;
      // An earlier process may have left one.
      const remove = () => archive?.remove() ?? removeArchive(this.#stateDirectory, this.#services.logger);
      this.#removed = this.#removed.then(remove);
    } else if (this.#archive !== undefined) this.#archive.configure(audit);
    else this.#archive = new Archive(this.#stateDirectory, audit, this.#services, this.#removed);
  }

  async close(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#removed, this.#archive?.close(signal, 'shutdown')]);
  }
}
