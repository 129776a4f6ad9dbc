"""What a program for another machine is built with and runs on, in a folder: nothing is installed, and dpkg hears of no other machine.

    from_packages(folder, "arm64", names)   Debian's own packages of that machine, with all they need, unpacked
    from_sources(folder, LIBRARIES, tools)  for a machine that Debian 12 is not made for: libraries built from Debian's sources

Both leave a folder alone that was made from the same list. Packages come through apt, from the Debian archives this machine uses.
"""
import concurrent.futures
import glob
import os
import re
import shutil
import subprocess

# Sources (as a shell would match them in the unpacked package), and what else the compiler needs to know.
LIBRARIES = {
    "z": {"package": "zlib", "sources": "*.c", "headers": ["zlib.h", "zconf.h"], "pc": "zlib"},
    "lz4": {"package": "lz4", "sources": "lib/lz4*.c lib/xxhash.c", "headers": ["lib/lz4*.h"], "pc": "liblz4", "flags": "-DXXH_NAMESPACE=LZ4_"},
    "zstd": {"package": "libzstd", "sources": "lib/common/*.c lib/compress/*.c lib/decompress/*.c",
             "headers": ["lib/zstd*.h"], "pc": "libzstd", "flags": "-DZSTD_DISABLE_ASM=1 -DZSTD_LEGACY_SUPPORT=0"},
    "snappy": {"package": "snappy", "sources": "snappy.cc snappy-c.cc snappy-sinksource.cc snappy-stubs-internal.cc",
               "headers": ["snappy-c.h"], "pc": "snappy", "flags": "-DSNAPPY_IS_BIG_ENDIAN=1 -DHAVE_SYS_UIO_H=1"},
    "uring": {"package": "liburing", "sources": "src/queue.c src/register.c src/setup.c src/syscall.c", "headers": ["src/include/*"],
              "pc": "liburing", "flags": "-Isrc/include -D_GNU_SOURCE -DLIBURING_INTERNAL"},
    "yaml": {"package": "libyaml", "sources": "src/*.c", "headers": ["include/yaml.h"], "pc": "yaml-0.1",
             "flags": "-Iinclude -DYAML_VERSION_MAJOR=0 -DYAML_VERSION_MINOR=2 -DYAML_VERSION_PATCH=5 -DYAML_VERSION_STRING=\"0.2.5\""},
    "protobuf-c": {"package": "protobuf-c", "sources": "protobuf-c/protobuf-c.c", "headers": ["protobuf-c"], "pc": "libprotobuf-c",
                   "flags": "-I. -DWORDS_BIGENDIAN=1 -DPACKAGE_VERSION=\"1.4.1\" -DPACKAGE_STRING=\"protobuf-c\""},
    "cmocka": {"package": "cmocka", "sources": "src/cmocka.c", "headers": ["include/cmocka*.h"], "pc": "cmocka",
               "flags": "-Iinclude -DHAVE_GCC_THREAD_LOCAL_STORAGE=1 -DHAVE_STRUCT_TIMESPEC=1 -DHAVE_CLOCK_GETTIME=1"
                        " -DHAVE_CLOCK_REALTIME=1 -DHAVE_SIGNAL_H=1 -DHAVE_STRSIGNAL=1 -DHAVE_STDIO_H=1 -DHAVE_STDLIB_H=1 -DHAVE_STRINGS_H=1"
                        " -DHAVE_STRING_H=1 -DHAVE_INTTYPES_H=1 -DHAVE_STDINT_H=1 -DHAVE_UNISTD_H=1 -DHAVE_SNPRINTF=1 -DHAVE_VSNPRINTF=1"
                        " -DHAVE_MALLOC_H=1 -DHAVE_TIME_H=1 -DUINTPTR_T_DEFINED"},
    "jansson": {"package": "jansson", "sources": "src/*.c", "headers": ["src/jansson.h", "src/jansson_config.h"], "pc": "jansson",
                "flags": "-DHAVE_STDINT_H=1"},
}
# What their configure scripts would have written.
WRITTEN = {
    "jansson/src/jansson_private_config.h": "",
    "jansson/src/jansson_config.h": "#define JSON_INLINE inline\n#define JSON_INTEGER_IS_LONG_LONG 1\n#define JSON_HAVE_LOCALECONV 1\n"
                                    "#define JSON_HAVE_ATOMIC_BUILTINS 1\n#define JSON_HAVE_SYNC_BUILTINS 1\n#define JSON_PARSER_MAX_DEPTH 2048\n",
    "liburing/src/include/liburing/compat.h": "#ifndef LIBURING_COMPAT_H\n#define LIBURING_COMPAT_H\n#include <linux/time_types.h>\n"
                                              "#include <linux/openat2.h>\n#include <stdint.h>\n#endif\n",
}
# libcrypto is not made: what calls it links against functions that trap, so that a test which really calls one ends there.
TRAPS = ("CRYPTO_memcmp EVP_Digest EVP_DigestSignFinal EVP_DigestSignInit EVP_DigestSignUpdate EVP_MD_CTX_free EVP_MD_CTX_new EVP_PKEY_free "
         "EVP_PKEY_new_raw_private_key EVP_sha1 EVP_sha256 OPENSSL_cleanse").split()
NO_LIBRARY = """Name: %s
Description: its headers alone
Version: 99
Cflags: -idirafter /usr/include -idirafter /usr/include/%s
"""


def run(command, cwd=None, env=None):
    done = subprocess.run(command, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        raise RuntimeError("%s: exit %d\n%s" % (" ".join(command), done.returncode, done.stdout.decode(errors="replace")[-3000:]))
    return done.stdout.decode(errors="replace")


def archives():
    """Where this machine has its Debian release from, as lines of a sources.list without their first word. Updates are left out: what is made
    here is for tests, and the release itself has its sources beside it."""
    out = run(["apt-get", "indextargets", "--format", "$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(SIGNED_BY)", "Created-By: Packages",
               "Origin: Debian"])
    lines = []
    for uri, release, component, key in sorted({tuple(line.split("|")) for line in out.splitlines()}):
        if "-" not in release:
            lines.append("%s%s %s %s" % ("[signed-by=%s] " % key if key.startswith("/") else "", uri, release, component))
    if not lines:
        raise RuntimeError("apt knows no archive of Debian here: run apt-get update first")
    return lines


def apt(folder, machine):
    """An apt of its own below folder, which thinks it is on that machine with nothing installed: the environment for apt-get."""
    shutil.rmtree(folder, ignore_errors=True)
    for part in ("lists/partial", "archives/partial"):
        os.makedirs(os.path.join(folder, part), exist_ok=True)
    with open(os.path.join(folder, "sources.list"), "w") as file:
        file.write("".join("%s %s\n" % (kind, line) for line in archives() for kind in ("deb", "deb-src")))
    settings = {"APT::Architecture": machine, "APT::Architectures": machine, "APT::Sandbox::User": "root", "APT::Install-Recommends": "0",
                "Acquire::Languages": "none", "Dir::State": folder, "Dir::State::status": "/dev/null", "Dir::Cache": folder,
                "Dir::Etc::sourcelist": os.path.join(folder, "sources.list"), "Dir::Etc::sourceparts": "-"}
    path = os.path.join(folder, "apt.conf")
    with open(path, "w") as file:
        file.write("".join('%s "%s";\n' % item for item in settings.items()))
    env = dict(os.environ, APT_CONFIG=path)
    run(["apt-get", "-qq", "update"], env=env)
    return env


def inwards(root):
    """Links that begin with / mean that machine's root, not ours."""
    for folder, folders, files in os.walk(root):
        for name in folders + files:
            path = os.path.join(folder, name)
            if os.path.islink(path) and os.readlink(path).startswith("/"):
                target = os.path.relpath(root + os.readlink(path), folder)
                os.unlink(path)
                os.symlink(target, path)


def made(folder, recipe):
    """Whether it was made by the same recipe; else it is empty afterwards."""
    path = os.path.join(folder, "recipe")
    if os.path.exists(path) and open(path).read() == recipe:
        return True
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    return False


def finish(folder, recipe):
    with open(os.path.join(folder, "recipe"), "w") as file:
        file.write(recipe)


def from_packages(folder, machine, names):
    recipe = "\n".join(names)
    if made(folder, recipe):
        return
    work = folder + "-apt"
    run(["apt-get", "-qq", "-y", "--download-only", "install"] + names, env=apt(work, machine))
    for path in sorted(glob.glob(os.path.join(work, "archives", "*.deb"))):
        run(["dpkg-deb", "-x", path, folder])
    inwards(folder)
    shutil.rmtree(work)
    finish(folder, recipe)


def headers_put(sources, library, include):
    for pattern in library["headers"]:
        for path in glob.glob(os.path.join(sources, pattern)):
            to = os.path.join(include, os.path.basename(path))
            shutil.copytree(path, to, dirs_exist_ok=True) if os.path.isdir(path) else shutil.copy(path, to)


def library_build(work, folder, name, prefix, cache):
    """One shared library, its headers and what pkg-config wants to know."""
    library = LIBRARIES[name]
    sources = os.path.join(work, library["package"])
    for path, text in WRITTEN.items():
        if path.startswith(library["package"] + "/"):
            with open(os.path.join(work, path), "w") as file:
                file.write(text)
    for path in glob.glob(os.path.join(sources, "snappy-stubs-public.h.in")):  # what its cmake would have filled in
        with open(path) as file, open(path[:-3], "w") as out:
            out.write(re.sub(r"\$\{\w+\}", "1", file.read()))
    found = [path for pattern in library["sources"].split() for path in sorted(glob.glob(pattern, root_dir=sources))]
    plus = found[0].endswith(".cc")
    flags = ["-O1", "-fPIC", "-w", "-I."] + library.get("flags", "").split()
    compiler = cache + [prefix + ("g++" if plus else "gcc")]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda path: run(compiler + flags + ["-c", path, "-o", path + ".o"], cwd=sources), found))
    so = os.path.join(folder, "lib", "lib%s.so" % name)
    run([compiler[-1], "-shared", "-o", so] + [path + ".o" for path in found] + ["-latomic"], cwd=sources)
    headers_put(sources, library, os.path.join(folder, "include"))
    with open(os.path.join(folder, "lib", "pkgconfig", library["pc"] + ".pc"), "w") as file:
        file.write("Name: %s\nDescription: of Debian's sources\nVersion: 99\nCflags: -I%s/include\nLibs: -L%s/lib -l%s\n"
                   % (name, folder, folder, name))


def from_sources(folder, machine, prefix, cache, host):
    """host: this machine's name in paths. libcrypto and libcurl have headers alone: the one is TRAPS, the other is loaded at
    run time."""
    recipe = open(__file__).read()
    if made(folder, recipe):
        return
    work = folder + "-apt"
    env = apt(work, machine)
    packages = sorted({library["package"] for library in LIBRARIES.values()})
    run(["apt-get", "-qq", "source", "--download-only"] + packages, cwd=work, env=env)
    for path in glob.glob(os.path.join(work, "*.dsc")):
        package = os.path.basename(path).split("_")[0]
        run(["dpkg-source", "--no-check", "-x", path, os.path.join(work, package)])
    os.makedirs(os.path.join(folder, "lib", "pkgconfig"))
    os.makedirs(os.path.join(folder, "include"))
    for name in LIBRARIES:
        library_build(work, folder, name, prefix, cache)
    traps = os.path.join(work, "traps.c")
    with open(traps, "w") as file:
        file.write("".join("void %s(void);\nvoid %s(void) { __builtin_trap(); }\n" % (name, name) for name in TRAPS))
    run([prefix + "gcc", "-shared", "-fPIC", "-w", "-o", os.path.join(folder, "lib", "libcrypto.so"), traps])
    for name, libs in (("libcrypto", "Libs: -L%s/lib -lcrypto\n" % folder), ("libcurl", "")):
        with open(os.path.join(folder, "lib", "pkgconfig", name + ".pc"), "w") as file:
            file.write(NO_LIBRARY % (name, host) + libs)
    shutil.rmtree(work)
    finish(folder, recipe)
