/**
 * Permissions: what a cell gives up before it reads a byte of a guest.
 *
 * Owns the list of kinds, all that this Deno has. A library that was opened before stays open: its functions are
 * called without a permission. Invariant: it resolves only when nothing is granted any more.
 */

/** Every kind of permission. */
export const PERMISSION_NAMES = ["read", "write", "net", "env", "run", "ffi", "sys", "import"] as const;

/** Gives up every permission. Rejects if one stays. */
export async function giveUpPermissions(): Promise<void> {
  for (const name of PERMISSION_NAMES) {
    const status = await Deno.permissions.revoke({ name } as Deno.PermissionDescriptor);
    if (status.state === "granted") throw new Error(`Permission ${name} could not be given up`);
  }
}
