#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace timesink::proto::redis {

/// What is added to queues between MULTI and EXEC (BullMQ: flows). Each command is answered by QUEUED; the jobs' ids
/// come in EXEC's reply, an array, at the places of their commands. Of a transaction whose begin was not seen nothing is known.
class Transaction {
public:
    struct Added {
        std::uint64_t place;  ///< in EXEC's reply, from 0
        std::string queue;
    };

    /// A command is sent. `queue`: of the job that it adds; empty: it adds none. Returns of EXEC the queue of the first job that
    /// the transaction adds; else, or if it adds none, nothing.
    std::string sent(std::string_view command, std::string_view queue) {
        if (command == "EXEC" || command == "DISCARD") {
            open_ = false;
            std::string first = std::exchange(first_queue_, {});
            return command == "EXEC" ? first : std::string();
        }
        if (command == "MULTI") {
            open_ = true;
            first_queue_.clear();
        } else if (open_ && first_queue_.empty()) {
            first_queue_ = queue;
        }
        return {};
    }

    /// MULTI was answered.
    void begin() {
        queued_ = 0;
        added_.clear();
        begun_ = true;
    }
    /// QUEUED was the answer to a command that adds a job to `queue` (empty: that adds none).
    void queued(std::string queue) {
        if (begun_ && !queue.empty() && added_.size() < kMostAdded) {
            added_.push_back({queued_, std::move(queue)});
        }
        ++queued_;
    }
    /// EXEC or DISCARD was answered, or answers are missing.
    void end() {
        added_.clear();
        begun_ = false;
    }
    /// By their places.
    [[nodiscard]] const std::vector<Added>& added() const { return added_; }

private:
    static constexpr std::size_t kMostAdded = 4096;
    bool open_ = false;        ///< MULTI was sent, EXEC was not
    std::string first_queue_;  ///< that it adds to
    bool begun_ = false;       ///< MULTI was answered, EXEC was not
    std::uint64_t queued_ = 0;
    std::vector<Added> added_;
};

}  // namespace timesink::proto::redis
