#include <nlohmann/json.hpp>

#include "event/merge.hpp"
#include "golden/runner.hpp"
#include "records/dump.hpp"

/// The kind `events`: what the decoder and the merge hand on, one line each.
int main(int argc, char** argv) {
    return timesink::golden::run_golden(argc, argv, [](std::span<const std::byte> records) {
        timesink::records::Dump dump;
        dump.with_advance = false;
        timesink::event::Merge merge(dump);
        if (const auto pushed = merge.push(records); !pushed) {
            dump.lines.push_back("error: " + pushed.error().what);
        }
        merge.finish();
        const auto& statistics = merge.statistics();
        if (statistics.malformed != 0 || statistics.out_of_order != 0) {
            dump.lines.push_back("malformed=" + std::to_string(statistics.malformed) +
                                 " out_of_order=" + std::to_string(statistics.out_of_order));
        }
        return std::move(dump.lines);
    });
}
