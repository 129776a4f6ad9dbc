#!/usr/bin/env python3
"""embed.py NAME FILE: prints a C file that holds FILE's bytes as NAME and their count as NAME_size."""
import sys

name, path = sys.argv[1:]
with open(path, "rb") as file:
    data = file.read()
print("#include <stddef.h>\n#include <stdint.h>\n")
print("extern const uint8_t %s[];\nextern const size_t %s_size;" % (name, name))
print("const uint8_t %s[] = {" % name)
for at in range(0, len(data), 24):
    print("    " + " ".join("%d," % byte for byte in data[at:at + 24]))
print("};\nconst size_t %s_size = sizeof %s;" % (name, name))
