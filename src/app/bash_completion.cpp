#include "app/bash_completion.hpp"

#include "app/flag.hpp"
#include "app/subcommands.hpp"

#include <map>
#include <set>
#include <string_view>
#include <vector>

namespace pomona::app {

namespace {

/// What a value may be, as bash says it. The names are ours: nothing in them needs quoting.
std::string completion_of(const Flag& flag) {
    switch (flag.completes) {
        case Completes::nothing:
            return {};
        case Completes::file:
            return "COMPREPLY=($(compgen -f -- \"$current\"))";
        case Completes::folder:
            return "COMPREPLY=($(compgen -d -- \"$current\"))";
        case Completes::user:
            return "COMPREPLY=($(compgen -u -- \"$current\"))";
        case Completes::interface:
            return "COMPREPLY=($(compgen -W \"$(ls /sys/class/net 2>/dev/null)\" -- \"$current\"))";
        case Completes::choices:
            break;
    }
    std::string words;
    for (const std::string_view choice : choices_of(flag.choices)) {
        words += (words.empty() ? "" : " ") + std::string(choice);
    }
    return "COMPREPLY=($(compgen -W \"" + words + "\" -- \"$current\"))";
}

/// Which flags take a value, and what it may be: "--a | --b) ...". A flag of one name takes the same values
/// everywhere.
std::string value_cases() {
    std::map<std::string, std::set<std::string>> flags_by_completion;
    for (const Subcommand& subcommand : subcommand_table()) {
        for (const Flag& flag : flags_of(subcommand)) {
            if (flag.value_name.empty()) continue;
            flags_by_completion[completion_of(flag)].insert("--" + std::string(flag.name));
        }
    }
    std::string text;
    for (const auto& [completion, flags] : flags_by_completion) {
        std::string pattern;
        for (const std::string& flag : flags) pattern += (pattern.empty() ? "" : " | ") + flag;
        text += "        " + pattern + ")\n";
        if (!completion.empty()) text += "            " + completion + "\n";
        text += "            return ;;\n";
    }
    return text;
}

std::string words_of(const Subcommand& subcommand) {
    std::string words;
    for (const Flag& flag : flags_of(subcommand))
        words += (words.empty() ? "--" : " --") + std::string(flag.name);
    return words;
}

}  // namespace

std::string bash_completion() {
    std::string subcommands;
    std::string cases;
    for (const Subcommand& subcommand : subcommand_table()) {
        subcommands += (subcommands.empty() ? "" : " ") + std::string(subcommand.name);
        std::string actions;
        for (const Action& action : subcommand.actions) {
            actions += (actions.empty() ? "" : " ") + std::string(action.name);
        }
        cases += "        " + std::string(subcommand.name) + ")\n            actions=\"" + actions +
                 "\"\n            flags=\"" + words_of(subcommand) + "\" ;;\n";
    }
    return R"(# Completion of pomona(8) for bash. Made from the program's own tables by
# 'pomona completion bash'.
# shellcheck shell=bash disable=SC2207

_pomona() {
    local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD - 1]}"
    local subcommand="${COMP_WORDS[1]}" actions="" flags=""
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        COMPREPLY=($(compgen -W ")" +
           subcommands + R"( help --help --version" -- "$current"))
        return
    fi
    # bash makes three words of --flag=value.
    if [[ $current == "=" ]]; then
        current=""
    elif [[ $previous == "=" ]]; then
        previous="${COMP_WORDS[COMP_CWORD - 2]}"
    fi
    case "$previous" in
)" + value_cases() +
           R"(    esac
    case "$subcommand" in
        help)
            actions=")" +
           subcommands + R"(" ;;
)" + cases +
           R"(    esac
    if ((COMP_CWORD == 2)) && [[ $current != -* ]]; then
        COMPREPLY=($(compgen -W "$actions" -- "$current"))
    fi
    if [[ $current == -* || ${#COMPREPLY[@]} -eq 0 ]]; then
        COMPREPLY=($(compgen -W "$flags" -- "$current"))
    fi
    # pomona image check FOLDER
    if [[ $subcommand == image && ${COMP_WORDS[2]} == check && $current != -* ]] && ((COMP_CWORD > 2)); then
        COMPREPLY=($(compgen -d -- "$current"))
    fi
}
complete -o filenames -F _pomona pomona
)";
}

}  // namespace pomona::app
