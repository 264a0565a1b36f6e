#include <CLI/CLI.hpp>
#include <cstring>
#include <iostream>
#include <random>
#include <vector>

#include "capture/reader.hpp"
#include "capture/writer.hpp"
#include "timesink/abi/events.h"

/// Copies a recording without some of its events, as if they had not fitted into the rings: the gap in their CPU's sequence says
/// so. What live/ has written (facts, watermarks) stays. Deterministic: equal arguments drop the same.
namespace timesink {
namespace {

struct Options {
    std::string from;
    std::string to;
    double share = 0.001;
    unsigned seed = 1;
};

struct Counts {
    std::uint64_t events = 0;
    std::uint64_t dropped = 0;
};

/// Error: what the reader or the writer said.
Result<Counts> copy(const Options& options) {
    auto reader = capture::Reader::open(options.from);
    if (!reader) {
        return reader.error();
    }
    auto writer = capture::Writer::create(options.to, capture::Existing::replace);
    if (!writer) {
        return writer.error();
    }
    std::mt19937_64 random(options.seed);
    std::bernoulli_distribution drops(options.share);
    Counts counts;
    while (const auto events = reader->next_events()) {
        std::vector<std::byte> kept;
        for (std::size_t at = 0; at + sizeof(ts_event_head) <= events->size();) {
            ts_event_head head{};
            std::memcpy(&head, events->data() + at, sizeof(head));
            if (head.size < sizeof(head) || head.size > events->size() - at) {
                break;  // the reader has held it against its checksum: it was written so, and the analysis will stop here, too
            }
            ++counts.events;
            const bool droppable = head.cpu != TS_CPU_USERSPACE && head.kind != TS_EVENT_LOSS;
            if (droppable && drops(random)) {
                ++counts.dropped;
            } else {
                const auto record = events->subspan(at, head.size);
                kept.insert(kept.end(), record.begin(), record.end());
            }
            at += head.size;
        }
        if (Status status = writer->append(kept); !status) {
            return status.error();
        }
    }
    if (Status status = writer->finish(); !status) {
        return status.error();
    }
    return counts;
}

}  // namespace
}  // namespace timesink

// NOLINTNEXTLINE(bugprone-exception-escape): a tool that cannot allocate may end
int main(int argc, char** argv) {
    timesink::Options options;
    CLI::App app("Copies a recording without some of its events.");
    app.add_option("FROM", options.from)->required();
    app.add_option("TO", options.to)->required();
    app.add_option("--share", options.share, "of the events, 0…1")->check(CLI::Range(0.0, 1.0));
    app.add_option("--seed", options.seed);
    CLI11_PARSE(app, argc, argv);
    const auto counts = timesink::copy(options);
    if (!counts) {
        std::cerr << counts.error().what << '\n';
        return 3;
    }
    std::cout << counts->dropped << " of " << counts->events << " events dropped\n";
}
