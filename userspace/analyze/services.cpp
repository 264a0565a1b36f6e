#include "analyze/services.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <sstream>
#include <string_view>
#include <utility>

namespace timesink::analyze {

namespace {

constexpr std::size_t kLongestName = 40;

/// "python" and "java" tell nobody which service it is: of an interpreter, what it runs. `python -m X` is X; a script is called
/// by its file name, without its folder.
std::string program_name(const ProcessLine& process) {
    std::istringstream words(process.command_line);
    std::string word;
    words >> word;
    const std::string program = word.substr(word.rfind('/') + 1);
    constexpr std::array<std::string_view, 5> kInterpreters = {"python", "node", "java", "ruby", "php"};
    if (std::none_of(kInterpreters.begin(), kInterpreters.end(), [&](auto each) { return program.starts_with(each); })) {
        return process.comm;
    }
    while (words >> word) {
        if (word == "-cp" || word == "-classpath" || word == "-W" || word == "-X") {
            words >> word;
        } else if (word.front() != '-') {
            return word.substr(word.rfind('/') + 1, kLongestName);
        }
    }
    return process.comm;
}

}  // namespace

std::size_t Services::index_of(const request::Unit& unit) {
    const bool is_unix = unit.server.port == 0;
    auto found = std::find_if(ports_.begin(), ports_.end(), [&](const Port& each) {
        return each.other || (each.port == unit.server.port && each.network_namespace == unit.network_namespace &&
                              (!is_unix || each.path == unit.server.address));
    });
    if (found == ports_.end()) {
        const bool other = ports_.size() + 1 == kMost;
        ports_.push_back({.network_namespace = unit.network_namespace,
                          .port = unit.server.port,
                          .path = is_unix ? unit.server.address : std::string(),
                          .other = other,
                          .sums = FigureSums(limits_),
                          .processes = {},
                          .latest = {},
                          .joined = ports_.size(),
                          .line = 0});
        found = ports_.end() - 1;
    }
    if (found->latest != unit.process && found->processes.size() < kMostProcesses) {
        found->processes.insert(unit.process);
        found->latest = unit.process;
    }
    return static_cast<std::size_t>(found - ports_.begin());
}

std::size_t Services::representative(std::size_t index) const {
    while (ports_[index].joined != index) {
        index = ports_[index].joined;
    }
    return index;
}

void Services::join() {
    if (std::exchange(joined_, true)) {
        return;
    }
    std::map<ProcessId, std::size_t> server_of;
    for (std::size_t i = 0; i < ports_.size(); ++i) {
        if (ports_[i].other) {
            continue;  // many, that have nothing to do with each other
        }
        for (const ProcessId process : ports_[i].processes) {
            const auto [known, fresh] = server_of.emplace(process, i);
            const std::size_t a = representative(known->second);
            const std::size_t b = representative(i);
            ports_[std::max(a, b)].joined = std::min(a, b);
        }
    }
    for (std::size_t i = 0; i < ports_.size(); ++i) {
        const std::size_t to = representative(i);
        if (to != i) {
            ports_[to].sums.add(std::move(ports_[i].sums));
            ports_[to].processes.insert(ports_[i].processes.begin(), ports_[i].processes.end());
        }
    }
}

ServiceLine Services::line(std::size_t index, const Run& run) const {
    ServiceLine made;
    made.other = ports_[index].other;
    for (std::size_t i = 0; i < ports_.size(); ++i) {
        if (representative(i) == index && ports_[i].port != 0) {
            made.ports.push_back(ports_[i].port);
        }
    }
    std::sort(made.ports.begin(), made.ports.end());
    made.ports.erase(std::unique(made.ports.begin(), made.ports.end()), made.ports.end());
    for (const ProcessId process : ports_[index].processes) {
        made.pids.push_back(number(process));
    }
    if (made.other) {
        made.name = "others";
        return made;
    }
    for (const std::uint32_t pid : made.pids) {
        const auto process = std::find_if(run.processes.begin(), run.processes.end(),
                                          [pid](const ProcessLine& each) { return each.pid == pid && !each.comm.empty(); });
        if (process != run.processes.end()) {
            made.name = program_name(*process);
            break;
        }
    }
    constexpr std::size_t kNamedPorts = 3;
    for (std::size_t i = 0; i < std::min(made.ports.size(), kNamedPorts); ++i) {
        made.name += (made.name.empty() ? ":" : " :") + std::to_string(made.ports[i]);
    }
    if (made.ports.empty()) {
        made.name += (made.name.empty() ? "" : " ") + ports_[index].path;
    }
    return made;
}

void Services::finish(Model& model) {
    join();
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < ports_.size(); ++i) {
        if (representative(i) != i) {
            continue;
        }
        if (ports_[i].sums.units() > 0) {
            order.push_back(i);
        } else {
            ports_[i].line = kMost;  // only background work of requests that were left out came of it
        }
    }
    if (order.size() <= 1) {
        model.total = order.empty() ? FigureSums(limits_).finish() : ports_[order.front()].sums.finish();
        return;
    }
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return ports_[a].sums.wall() > ports_[b].sums.wall(); });
    FigureSums total(limits_);
    std::map<std::string, int> names;
    for (const std::size_t index : order) {
        Port& port = ports_[index];
        total.add(FigureSums(port.sums));
        port.line = model.services.size();
        model.services.push_back(line(index, model.run));
        std::string& name = model.services.back().name;
        if (const int namesakes = names[name]++; namesakes > 0) {
            name += " #" + std::to_string(namesakes + 1);  // two containers, each with a port of its own
        }
        model.services.back().figures = port.sums.finish();
    }
    model.total = total.finish();
}

}  // namespace timesink::analyze
