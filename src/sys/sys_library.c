/* Shared objects. The dynamic linker's own words say little to who wrote a service, so what can be known before it is
 * asked is looked at here. */
#include "base/text.h"
#include "sys/sys.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>

#if defined __x86_64__
#define MACHINE EM_X86_64
#elif defined __aarch64__
#define MACHINE EM_AARCH64
#else
#error "say which ELF machine this is"
#endif

static const char *machine_name(uint16_t machine) {
    switch (machine) {
    case EM_X86_64:
        return "x86-64";
    case EM_AARCH64:
        return "arm64";
    case EM_386:
        return "x86";
    case EM_ARM:
        return "arm";
    case EM_RISCV:
        return "risc-v";
    }
    return "another machine";
}

static enum weir_error check_head(const char *path, const Elf64_Ehdr *head, size_t size) {
    if (size < sizeof *head || memcmp(head->e_ident, ELFMAG, SELFMAG) != 0 || head->e_type != ET_DYN)
        return weir_error_context(WEIR_E_UNSUPPORTED,
            "%s is no shared object; build it with: cc -shared -fPIC $(pkg-config --cflags weir) -o NAME.so ...", path);
    if (head->e_machine != MACHINE || head->e_ident[EI_CLASS] != ELFCLASS64)
        return weir_error_context(WEIR_E_UNSUPPORTED, "%s is built for %s and this weir for %s; build it here", path,
            machine_name(head->e_machine), machine_name(MACHINE));
    return WEIR_OK;
}

/* All that will be mapped is there: touching what is not ends the process. */
static enum weir_error check_size(struct sys *sys, const char *path, int file, const Elf64_Ehdr *head) {
    Elf64_Phdr part = {0};
    uint64_t bytes = 0;
    enum weir_error e = sys->file_size(sys, file, &bytes);
    for (uint32_t i = 0; e == WEIR_OK && i < head->e_phnum; i++) {
        size_t size = 0;
        e = sys->file_read(sys, file, head->e_phoff + (uint64_t)i * sizeof part, &part, sizeof part, &size);
        bool whole = size == sizeof part && part.p_filesz <= bytes && part.p_offset <= bytes - part.p_filesz;
        if (e == WEIR_OK && !whole)
            return weir_error_context(WEIR_E_UNSUPPORTED, "%s is cut short: it has %llu bytes; build or copy it again",
                path, (unsigned long long)bytes);
    }
    return e;
}

static enum weir_error look(struct sys *sys, const char *path) {
    bool exists = false;
    Elf64_Ehdr head = {0};
    int file = -1;
    size_t size = 0;
    enum weir_error e = sys->path_exists(sys, path, &exists);
    if (e == WEIR_OK && !exists) return weir_error_context(WEIR_E_NOT_FOUND, "there is no file %s", path);
    if (e == WEIR_OK) e = sys->file_open(sys, path, SYS_OPEN_READ, &file);
    if (e != WEIR_OK) return e;
    e = sys->file_read(sys, file, 0, &head, sizeof head, &size);
    if (e == WEIR_OK) e = check_head(path, &head, size);
    if (e == WEIR_OK) e = check_size(sys, path, file, &head);
    sys->file_close(sys, file);
    return e;
}

enum weir_error sys_library_open(struct sys *sys, const char *path, void **ret_library) {
    enum weir_error e = look(sys, path);
    if (e != WEIR_OK) return e;
    void *library = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
    if (!library) return weir_error_context(WEIR_E_CONFIG, "%s", dlerror());
    *ret_library = library;
    return WEIR_OK;
}

enum weir_error sys_library_system(const char *name, void **ret_library) {
    void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (!library) return weir_error_context(WEIR_E_NOT_FOUND, "%s", dlerror());
    *ret_library = library;
    return WEIR_OK;
}

void *sys_library_symbol(void *library, const char *name) {
    return dlsym(library, name);
}

/* Where a section of the dynamic table is; glibc has made its addresses absolute. NULL: there is none. */
static const void *section(const struct link_map *map, int64_t tag) {
    for (const ElfW(Dyn) *d = map->l_ld; d && d->d_tag != DT_NULL; d++)
        if (d->d_tag == tag) return (const void *)d->d_un.d_ptr; /* NOLINT(performance-no-int-to-ptr) */
    return NULL;
}

/* How many symbols there are is told by the hash tables only; the relocations name each that is imported. */
static void imports_of(void *library, const struct link_map *map, int64_t table_tag, int64_t size_tag,
    void (*fn)(void *ctx, const char *name, bool is_there), void *ctx) {
    const ElfW(Rela) *relocations = section(map, table_tag);
    const ElfW(Sym) *symbols = section(map, DT_SYMTAB);
    const char *names = section(map, DT_STRTAB);
    size_t size = (size_t)(uintptr_t)section(map, size_tag);
    for (size_t i = 0; relocations && symbols && names && i < size / sizeof *relocations; i++) {
        const ElfW(Sym) *symbol = &symbols[ELF64_R_SYM(relocations[i].r_info)];
        const char *name = names + symbol->st_name;
        if (symbol->st_shndx != SHN_UNDEF || !name[0] || ELF64_ST_BIND(symbol->st_info) == STB_WEAK) continue;
        fn(ctx, name, dlsym(RTLD_DEFAULT, name) || dlsym(library, name));
    }
}

void sys_library_imports(void *library, void (*fn)(void *ctx, const char *name, bool is_there), void *ctx) {
    struct link_map *map = NULL;
    if (dlinfo(library, RTLD_DI_LINKMAP, &map) != 0 || !map) return;
    imports_of(library, map, DT_RELA, DT_RELASZ, fn, ctx);
    imports_of(library, map, DT_JMPREL, DT_PLTRELSZ, fn, ctx);
}
