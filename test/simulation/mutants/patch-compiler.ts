import { resolve } from 'node:path';
import ts from 'typescript';

/** Checks the types of single patched files, one after the other, without reading the rest of the program anew. */
export class PatchCompiler {
  private readonly service: ts.LanguageService;
  private readonly seen = new Set<string>();
  private patched: { readonly path: string; readonly text: string } | undefined;
  private version = 0;

  constructor(private readonly root: string) {
    const { config } = ts.readConfigFile(resolve(root, 'tsconfig.json'), ts.sys.readFile) as { config: object };
    const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root, {
      noUnusedLocals: false,
      noUnusedParameters: false,
    });
    this.service = ts.createLanguageService({
      fileExists: ts.sys.fileExists,
      readFile: ts.sys.readFile,
      directoryExists: ts.sys.directoryExists,
      getCompilationSettings: () => options,
      getScriptFileNames: () => [...this.seen],
      getScriptVersion: (path) => (path === this.patched?.path ? `patched-${this.version}` : 'as it is'),
      getScriptSnapshot: (path) => {
        const text = path === this.patched?.path ? this.patched.text : ts.sys.readFile(path);
        return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text);
      },
      getCurrentDirectory: () => root,
      getDefaultLibFileName: ts.getDefaultLibFilePath,
    });
  }

  /** `file` from the root; what the compiler says of it where it holds this text. */
  errorsIn(file: string, text: string): readonly string[] {
    const path = resolve(this.root, file);
    this.seen.add(path);
    this.version++;
    this.patched = { path, text };
    return [...this.service.getSyntacticDiagnostics(path), ...this.service.getSemanticDiagnostics(path)].map(
      ({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'),
    );
  }
}
