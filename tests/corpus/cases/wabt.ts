/** wabt: the text format's tools in C++, compiled by emscripten; reads, prints and checks modules. */
import initWabt from "wabt";

const TEXT = `(module (memory (export "m") 1) (table 4 funcref) (type $t (func (param i32 f64) (result i64)))
  (func $f (type $t) (i64.add (i64.extend_i32_u (local.get 0)) (i64.trunc_sat_f64_s (local.get 1))))
  (func (export "g") (param v128) (result v128) (f32x4.mul (local.get 0) (local.get 0)))
  (elem (i32.const 0) $f $f) (data (i32.const 8) "hello"))`;

export async function run(): Promise<unknown> {
  const wabt = await initWabt();
  const module = wabt.parseWat("a.wat", TEXT, { simd: true });
  module.resolveNames();
  module.validate();
  const { buffer, log } = module.toBinary({ log: true, write_debug_names: true });
  const again = wabt.readWasm(buffer, { readDebugNames: true, simd: true });
  let refused = "accepted";
  try {
    wabt.parseWat("b.wat", "(module (func (result i32)))", {}).validate();
  } catch (error) {
    refused = String(error);
  }
  return { buffer, log, text: again.toText({ foldExprs: true, inlineExport: true }), refused };
}
