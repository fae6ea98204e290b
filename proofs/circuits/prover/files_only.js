// WebAssembly on platforms that load it from files of the package alone (WXWebAssembly of WeChat, TTWebAssembly of
// Douyin): `instantiate(path, imports)` and no `compile`. The prover needs two modules. The witness calculator takes the
// function made here; the curve's arithmetic asks the global `WebAssembly`, and gets an object that hands it its file
// whatever bytes it compiles.

/** `instantiate` for the prover: `wasm` is then a path inside the package. */
export function fromFiles(platform) {
  return async (path, imports) => {
    if (typeof path !== "string") throw new TypeError("this platform loads WebAssembly from files of its package alone");
    return (await platform.instantiate(path, imports)).instance;
  };
}

/** A stand-in for the global `WebAssembly` under which the curve is loaded from `curvePath`. */
export function standInFor(platform, curvePath) {
  return {
    Memory: platform.Memory,
    Table: platform.Table,
    compile: async () => ({ path: curvePath }),
    instantiate: async (module, imports) => (await platform.instantiate(module.path, imports)).instance,
  };
}

/**
 * A source of random bytes that answers at once, filled beforehand by a platform that answers later
 * (`wx.getRandomValues`). Every byte is given out once; an empty pool throws and is never filled from elsewhere.
 */
export function pool(bytes) {
  let left = bytes;
  return {
    getRandomValues(into) {
      if (left.length < into.byteLength) throw new Error("the pool of random bytes is empty");
      new Uint8Array(into.buffer, into.byteOffset, into.byteLength).set(left.subarray(0, into.byteLength));
      left = left.slice(into.byteLength);
      return into;
    },
  };
}
