/** @rdkit/rdkit: chemistry in C++, a module of 7 MB from emscripten with legacy exceptions. */
import rdkitModule from "@rdkit/rdkit";

// Its types describe an ES module, its code is CommonJS.
const initRdkit = rdkitModule as unknown as typeof rdkitModule.default;

const SMILES = ["CC(=O)Oc1ccccc1C(=O)O", "CN1C=NC2=C1C(=O)N(C(=O)N2C)C", "C1CC1N", "not a molecule"];

export async function run(): Promise<unknown> {
  const rdkit = await initRdkit();
  const results: unknown[] = [rdkit.version()];
  for (const smiles of SMILES) {
    const molecule = rdkit.get_mol(smiles);
    if (molecule === null) {
      results.push("refused");
      continue;
    }
    results.push({
      canonical: molecule.get_smiles(),
      inchi: molecule.get_inchi(),
      descriptors: molecule.get_descriptors(),
      fingerprint: molecule.get_morgan_fp(),
      drawing: molecule.get_svg(),
    });
    molecule.delete();
  }
  return results;
}
