/** Reads TypeScript sources for what the rules of the architecture speak of: imports, and names that are used. */
import { readFileSync, readdirSync } from "node:fs"
import { isBuiltin } from "node:module"
import { posix } from "node:path"
import ts from "typescript"

/** Sources by their path from the repository's root, with forward slashes. */
export type Sources = ReadonlyMap<string, string>

export interface Import {
  readonly from: string
  readonly line: number
  readonly specifier: string
  /** The path imported, where it is one of the repository; nothing is said of whether it exists. */
  readonly path: string | undefined
  /** The package imported otherwise; `node` for all that come with Node. */
  readonly package: string | undefined
  /** Local names that stand for the whole module or one of its exports, with the name they have there. */
  readonly names: ReadonlyMap<string, string>
}

/** Every file below a folder of the repository. */
export const filesOf = (root: string, folder: string): Array<string> =>
  readdirSync(posix.join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = posix.join(folder, entry.name)
    return entry.isDirectory() ? filesOf(root, path) : [path]
  })

export const isModule = (path: string): boolean => /\.[cm]?tsx?$/.test(path)

export const sourcesOf = (root: string, folder: string): Sources =>
  new Map(
    filesOf(root, folder)
      .filter(isModule)
      .sort()
      .map((path) => [path, readFileSync(posix.join(root, path), "utf8")])
  )

const parsed = new WeakMap<Sources, Map<string, ts.SourceFile>>()

const parse = (sources: Sources, path: string): ts.SourceFile => {
  const cache = parsed.get(sources) ?? new Map<string, ts.SourceFile>()
  parsed.set(sources, cache)
  const known = cache.get(path)
  if (known !== undefined) return known
  const made = ts.createSourceFile(path, sources.get(path) ?? "", ts.ScriptTarget.Latest, true)
  cache.set(path, made)
  return made
}

const visit = (node: ts.Node, each: (node: ts.Node) => void): void => {
  each(node)
  ts.forEachChild(node, (child) => visit(child, each))
}

const lineOf = (node: ts.Node): number => node.getSourceFile().getLineAndCharacterOfPosition(node.getStart()).line + 1

const packageOf = (specifier: string): string => {
  if (isBuiltin(specifier)) return "node"
  const parts = specifier.split("/")
  return specifier.startsWith("@") ? parts.slice(0, 2).join("/") : parts[0]!
}

/** The module that a node names: `import`, `export … from`, `import()`, `require()`, and `import("…")` as a type. */
const specifierOf = (node: ts.Node): ts.Node | undefined => {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return node.moduleSpecifier
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) return node.argument.literal
  if (ts.isExternalModuleReference(node)) return node.expression
  if (ts.isCallExpression(node)) {
    const { expression } = node
    const imports = expression.kind === ts.SyntaxKind.ImportKeyword
    if (imports || (ts.isIdentifier(expression) && expression.text === "require")) return node.arguments[0]
  }
  return undefined
}

const namesOf = (node: ts.Node): ReadonlyMap<string, string> => {
  const names = new Map<string, string>()
  if (!ts.isImportDeclaration(node)) return names
  const clause = node.importClause
  if (clause?.name !== undefined) names.set(clause.name.text, "default")
  const bindings = clause?.namedBindings
  if (bindings === undefined) return names
  if (ts.isNamespaceImport(bindings)) names.set(bindings.name.text, "*")
  else for (const one of bindings.elements) names.set(one.name.text, (one.propertyName ?? one.name).text)
  return names
}

/** All imports of a file, those of types alone included. */
export const importsOf = (sources: Sources, from: string): Array<Import> => {
  const found: Array<Import> = []
  visit(parse(sources, from), (node) => {
    const literal = specifierOf(node)
    if (literal === undefined) return
    // A computed import could reach anything, so it is named as it stands and no rule will know it.
    const specifier = ts.isStringLiteralLike(literal) ? literal.text : literal.getText()
    const relative = specifier.startsWith(".")
    found.push({
      from,
      line: lineOf(node),
      specifier,
      path: relative ? posix.normalize(posix.join(posix.dirname(from), specifier)) : undefined,
      package: relative ? undefined : packageOf(specifier),
      names: namesOf(node)
    })
  })
  return found
}

export interface Use {
  readonly path: string
  readonly line: number
  /** `Date.now`, `console`, `new Date()`. */
  readonly name: string
}

const isDeclaredOrMember = (node: ts.Identifier): boolean => {
  const { parent } = node
  return (
    (ts.isPropertyAccessExpression(parent) && parent.name === node) ||
    (ts.isPropertyAssignment(parent) && parent.name === node) ||
    ((ts.isPropertySignature(parent) || ts.isPropertyDeclaration(parent) || ts.isMethodDeclaration(parent)) &&
      parent.name === node)
  )
}

/** Names that a file uses in its code, comments and text aside: free identifiers and members reached through one. */
export const usesOf = (sources: Sources, path: string): Array<Use> => {
  const found: Array<Use> = []
  visit(parse(sources, path), (node) => {
    const line = () => lineOf(node)
    if (ts.isPropertyAccessExpression(node) && ts.isIdentifier(node.expression)) {
      found.push({ path, line: line(), name: `${node.expression.text}.${node.name.text}` })
    } else if (ts.isElementAccessExpression(node) && ts.isIdentifier(node.expression)) {
      const { argumentExpression: key } = node
      if (ts.isStringLiteralLike(key)) found.push({ path, line: line(), name: `${node.expression.text}.${key.text}` })
    } else if (ts.isNewExpression(node) && ts.isIdentifier(node.expression) && (node.arguments ?? []).length === 0) {
      found.push({ path, line: line(), name: `new ${node.expression.text}()` })
    } else if (ts.isIdentifier(node) && !isDeclaredOrMember(node)) {
      found.push({ path, line: line(), name: node.text })
    }
  })
  return found
}
