/* cli/show.h: a node's JSON answer as a person reads it: members as lines, lists of objects as tables. */
#ifndef WEIR_CLI_SHOW_H
#define WEIR_CLI_SHOW_H
#include <weir/slice.h>

/* Prints `json`, an object, on stdout. hidden: names of members that are left out, each between spaces; "" for none.
 * Members whose names end in Bytes or Seconds get their unit. */
void cli_show(struct weir_slice json, const char *hidden);

#endif
