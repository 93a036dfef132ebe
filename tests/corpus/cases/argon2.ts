/** @phi-ag/argon2: the reference code in C, compiled by clang with SIMD. */
import initialize from "@phi-ag/argon2/node";
import { Argon2Type } from "@phi-ag/argon2";
import { sampleBytes } from "../inputs.ts";

export async function run(): Promise<unknown> {
  const argon2 = await initialize();
  const salt = sampleBytes(16);
  const hashed = [Argon2Type.Argon2d, Argon2Type.Argon2i, Argon2Type.Argon2id].map((type) =>
    argon2.hash("pässword", { salt, type, memoryCost: 256, timeCost: 2, parallelism: 1, hashLength: 32 })
  );
  const encoded = hashed[2]?.encoded ?? "";
  return {
    hashed,
    verified: [argon2.tryVerify(encoded, "pässword"), argon2.tryVerify(encoded, "other")],
    refused: argon2.tryHash("short", { salt: new Uint8Array(1) }),
  };
}
