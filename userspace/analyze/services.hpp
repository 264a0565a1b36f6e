#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "analyze/figure_sums.hpp"
#include "analyze/model.hpp"

namespace timesink::analyze {

/// Tells the servers of a run apart, and adds up each one's figures. A unit is of the server that serves its port (in its network
/// namespace; of its path, for unix sockets); ports that a process serves together are one server, as are the processes that
/// serve one port. Not by process trees: a supervisor starts different servers, and a container has one tree for all.
/// Bounded: kMost ports have figures of their own, the rest are one line.
class Services {
public:
    static constexpr std::size_t kMost = 32;
    static constexpr std::size_t kMostProcesses = 1024;  ///< of one port

    explicit Services(const FigureSums::Limits& limits) : limits_(limits) {}

    /// A number that stands for the port that this unit came in on.
    std::size_t index_of(const request::Unit& unit);
    FigureSums& at(std::size_t index) { return ports_[index].sums; }
    [[nodiscard]] std::size_t count() const { return ports_.size(); }

    /// Ports that processes serve together become one. When all units have been added; finish() does it where it was not done.
    void join();
    /// Of the ports that have become one, the number that stands for all. After join().
    [[nodiscard]] std::size_t representative(std::size_t index) const;

    /// Fills in total and services; model.run.processes gives the names. Once.
    void finish(Model& model);
    /// Where the server of this port stands in model.services; kMost or more: it has no units. After finish().
    [[nodiscard]] std::size_t line_of(std::size_t index) const { return ports_[representative(index)].line; }

private:
    struct Port {
        std::uint32_t network_namespace = 0;
        std::uint16_t port = 0;
        std::string path;    // of a unix socket
        bool other = false;  // those beyond kMost
        FigureSums sums;
        std::set<ProcessId> processes;
        ProcessId latest{};
        std::size_t joined = 0;  // a smaller or the same number
        std::size_t line = 0;
    };
    [[nodiscard]] ServiceLine line(std::size_t index, const Run& run) const;

    FigureSums::Limits limits_;
    std::vector<Port> ports_;
    bool joined_ = false;
};

}  // namespace timesink::analyze
