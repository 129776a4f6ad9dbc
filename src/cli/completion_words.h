/* cli/completion_words.h: what may stand where the cursor is, from the tables. A candidate per line: the word, a tab,
 * what it is. The line ":file" or ":folder" asks the shell for its own names. Nothing is printed where anything may
 * stand. */
#ifndef WEIR_CLI_COMPLETION_WORDS_H
#define WEIR_CLI_COMPLETION_WORDS_H
#include <stdio.h>

/* words: what stands before the cursor's word on the line, without `weir`; current: the word so far. Only candidates
 * that begin with it are printed. Topics are asked of the node that --node or $WEIR_NODE names. */
void completion_words_print(FILE *to, int count, char **words, const char *current);

#endif
