/* `weir completion SHELL`: a few lines for the shell, which ask `weir complete` at each press of the key. So what is
 * offered is what this binary takes, its services and its node's topics included. */
#include "cli/command.h"
#include "cli/completion_words.h"
#include <string.h>

static const char bash[] =
    "# bash completion of weir(1); made by `weir completion bash`.\n"
    "_weir() {\n"
    "    local line IFS=$'\\n'\n"
    "    COMPREPLY=()\n"
    "    for line in $(\"${COMP_WORDS[0]}\" complete -- \"${COMP_WORDS[@]:1:COMP_CWORD-1}\" "
    "\"${COMP_WORDS[COMP_CWORD]}\" 2>/dev/null); do\n"
    "        case $line in\n"
    "        :file) COMPREPLY+=($(compgen -f -- \"${COMP_WORDS[COMP_CWORD]}\")); compopt -o filenames 2>/dev/null ;;\n"
    "        :folder) COMPREPLY+=($(compgen -d -- \"${COMP_WORDS[COMP_CWORD]}\")); compopt -o filenames 2>/dev/null "
    ";;\n"
    "        *) COMPREPLY+=(\"${line%%$'\\t'*}\") ;;\n"
    "        esac\n"
    "    done\n"
    "}\n"
    "complete -F _weir weir\n";

static const char zsh[] = "#compdef weir\n"
                          "# zsh completion of weir(1); made by `weir completion zsh`.\n"
                          "_weir() {\n"
                          "    local line word what\n"
                          "    local -a offered\n"
                          "    for line in ${(f)\"$(${words[1]} complete -- \"${(@)words[2,CURRENT-1]}\" "
                          "\"${words[CURRENT]}\" 2>/dev/null)\"}; do\n"
                          "        case $line in\n"
                          "        :file) _files ;;\n"
                          "        :folder) _files -/ ;;\n"
                          "        *)\n"
                          "            word=${line%%$'\\t'*} what=${line#*$'\\t'}\n"
                          "            offered+=(\"${word//:/\\\\:}${what:+:$what}\") ;;\n"
                          "        esac\n"
                          "    done\n"
                          "    (( $#offered )) && _describe -V weir offered\n"
                          "}\n"
                          "if [[ $funcstack[1] = _weir ]]; then _weir \"$@\"; else compdef _weir weir; fi\n";

static const char fish[] = "# fish completion of weir(1); made by `weir completion fish`.\n"
                           "function __weir_complete\n"
                           "    set -l words (commandline -opc)\n"
                           "    set -l current (commandline -ct)\n"
                           "    for line in ($words[1] complete -- $words[2..-1] \"$current\" 2>/dev/null)\n"
                           "        switch $line\n"
                           "            case :file\n"
                           "                __fish_complete_path \"$current\"\n"
                           "            case :folder\n"
                           "                __fish_complete_directories \"$current\" ''\n"
                           "            case '*'\n"
                           "                printf '%s\\n' $line\n"
                           "        end\n"
                           "    end\n"
                           "end\n"
                           "complete -c weir -f -a '(__weir_complete)'\n";

static int completion(const struct cli_command *command, int argc, char **argv) {
    static const struct { const char *shell, *text; } scripts[] = {{"bash", bash}, {"zsh", zsh}, {"fish", fish}};
    int count = 0;
    int code = cli_parse(command, argc, argv, NULL, &count);
    if (code >= 0) return code;
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++)
        if (strcmp(scripts[i].shell, argv[0]) == 0) {
            fputs(scripts[i].text, stdout);
            return 0;
        }
    return cli_fail(weir_error_context(WEIR_E_UNSUPPORTED, "completion of %s: there are bash, zsh and fish", argv[0]));
}

/* argv: "--", the words before the cursor's, the cursor's. Whatever they are, this is no place for an error. */
static int complete(const struct cli_command *command, int argc, char **argv) {
    (void)command;
    if (argc >= 2 && strcmp(argv[0], "--") == 0) completion_words_print(stdout, argc - 2, argv + 1, argv[argc - 1]);
    return 0;
}

const struct cli_command cli_completion_commands[] = {
    {
        .name = "completion",
        .summary = "print the completion script for a shell",
        .description =
            "What it completes are this binary's commands, flags, services and settings, and the topics of the node.",
        .positionals = CLI_POSITIONALS({"SHELL", CLI_CHOICE, false, "bash, zsh or fish", "bash zsh fish"}),
        .exits = CLI_EXITS({WEIR_E_UNSUPPORTED, "there is no script for that shell"}),
        .examples = CLI_EXAMPLES({"weir completion bash > ~/.local/share/bash-completion/completions/weir", "for bash"},
            {"weir completion zsh > ~/.zfunc/_weir", "for zsh, in a folder of its $fpath"},
            {"weir completion fish > ~/.config/fish/completions/weir.fish", "for fish"}),
        .run = completion,
    },
    {
        .name = "complete",
        .summary = "what may stand at the cursor; the completion scripts ask it",
        .hidden = true,
        .run = complete,
    },
    {0},
};
