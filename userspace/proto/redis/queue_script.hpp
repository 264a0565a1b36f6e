#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace timesink::proto::redis {

/// What a script does with a queue of BullMQ, told by the names of its keys alone: its scripts (BullMQ, src/commands/*.lua) are
/// called by digests that change with every version, while the keys that each is given are its signature: what is moved out of
/// PREFIX:active and has a key of its own (PREFIX:ID) is settled, what gets an id of PREFIX:id is added, and what asks
/// PREFIX:wait and PREFIX:active takes the next job. Bull 3 and 4 name theirs alike.
class QueueScript {
public:
    enum class Does : std::uint8_t {
        nothing,  ///< it is none, or only looks
        adds,     ///< a job; its reply is the job's id
        takes,    ///< the next job, if there is one: its reply then is {{field, value, …}, id, …}
        settles,  ///< a job: done, failed, or put back; its reply may be the next one, as of `takes`
        renews,   ///< the locks of jobs that are worked on: the worker's own
    };

    void begin();
    /// Whether another key would be looked at.
    [[nodiscard]] bool takes_keys() const { return keys_.size() < kMostKeys; }
    /// The keys so far are a queue's: one that is no name of its own may be a job's.
    [[nodiscard]] bool expects_job() const { return own_keys_ >= 2; }
    /// The next key; precondition: takes_keys().
    void key(std::string_view key);
    /// All keys have been given.
    void end();

    [[nodiscard]] Does does() const { return does_; }
    [[nodiscard]] const std::string& queue() const { return queue_; }  ///< without Bull's own prefix
    [[nodiscard]] const std::string& job() const { return job_; }      ///< settles: its id
    [[nodiscard]] bool failed() const { return failed_; }              ///< settles: for good
    [[nodiscard]] bool put_back() const { return put_back_; }          ///< settles: it will be tried again, or waits for others

private:
    static constexpr std::size_t kMostKeys = 20;  // they have 1 to 14
    std::vector<std::string> keys_;
    std::size_t own_keys_ = 0;  ///< of the queue itself
    Does does_ = Does::nothing;
    std::string queue_;
    std::string job_;
    bool failed_ = false;
    bool put_back_ = false;
};

/// By this blocking command a worker waits until there is a job (BullMQ: BZPOPMIN of the marker; Bull, and BullMQ to 4: the job's
/// id is moved from wait to active): the queue's name; empty: it waits for something else.
std::string queue_waited_for(std::string_view command, std::string_view key);

/// Counters, as ids of jobs nearly always are, say nothing of anyone.
bool is_counter(std::string_view id);

}  // namespace timesink::proto::redis
