#include "cli/list.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "live/discovery.hpp"

namespace timesink::cli {

namespace {

std::string runtime_text(const live::Runtime& runtime) {
    std::string text = runtime.name.empty() ? "–" : runtime.name;
    if (!runtime.version.empty()) {
        text += " " + runtime.version;
    }
    if (runtime.by_file_name) {
        text += " (by its name)";
    }
    return text;
}

nlohmann::json as_json(const live::Listener& listener) {
    nlohmann::json entry{
        {"pid", listener.pid}, {"parent", listener.parent}, {"comm", listener.comm}, {"address", listener.address}};
    if (listener.port != 0) {
        entry["port"] = listener.port;
    }
    if (!listener.runtime.name.empty()) {
        entry["runtime"] = listener.runtime.name;
        entry["runtime_by_file_name"] = listener.runtime.by_file_name;
    }
    if (!listener.runtime.version.empty()) {
        entry["runtime_version"] = listener.runtime.version;
    }
    return entry;
}

/// Columns as wide as what is in them; the last one runs free.
void print_table(const std::vector<live::Listener>& listeners) {
    constexpr std::size_t kColumns = 5;
    std::vector<std::array<std::string, kColumns>> rows{{"PORT", "ADDRESS", "PID", "COMMAND", "RUNTIME"}};
    for (const auto& listener : listeners) {
        rows.push_back({listener.port != 0 ? std::to_string(listener.port) : "unix", listener.address,
                        std::to_string(listener.pid), listener.comm, runtime_text(listener.runtime)});
    }
    std::array<std::size_t, kColumns> widths{};
    for (const auto& row : rows) {
        for (std::size_t i = 0; i < kColumns; i++) {
            widths[i] = std::max(widths[i], row[i].size());
        }
    }
    for (const auto& row : rows) {
        std::string line;
        for (std::size_t i = 0; i < kColumns; i++) {
            const std::string gap(widths[i] - row[i].size(), ' ');
            const bool number = i == 0 || i == 2;
            line += number ? gap + row[i] : row[i] + (i + 1 < kColumns ? gap : "");
            line += i + 1 < kColumns ? "  " : "\n";
        }
        std::fputs(line.c_str(), stdout);
    }
}

}  // namespace

CLI::App* add_list_options(CLI::App& program, ListOptions& options) {
    CLI::App* command = program.add_subcommand("list", "List the servers that could be attached to");
    command->add_flag("--json", options.json, "As a JSON array");
    command->add_flag("--unix", options.unix_sockets, "Also those that listen on unix sockets");
    return command;
}

int run_list(const ListOptions& options) {
    constexpr int kCannotAttach = 4;
    auto discovery = live::discover_listeners();
    if (!discovery) {
        std::fprintf(stderr, "timesink: %s\n", discovery.error().what.c_str());
        return kCannotAttach;
    }
    auto& listeners = discovery->listeners;
    if (!options.unix_sockets) {
        std::erase_if(listeners, [](const live::Listener& listener) { return listener.port == 0; });
    }
    if (options.json) {
        nlohmann::json array = nlohmann::json::array();
        for (const auto& listener : listeners) {
            array.push_back(as_json(listener));
        }
        const std::string text = array.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
        std::fputs(text.c_str(), stdout);
    } else {
        print_table(listeners);
    }
    if (discovery->unreadable != 0) {
        std::fprintf(stderr,
                     "timesink: %zu processes of other users could not be looked at.\n  sudo timesink list shows them too.\n",
                     discovery->unreadable);
    }
    return 0;
}

}  // namespace timesink::cli
