#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/lines.hpp"
#include "proto/redis/transaction.hpp"
#include "proto/redis/value.hpp"

namespace timesink::proto::redis {

/// Picks out of a reply what tells its kind: its type, its first line, and of an array or push the first element (the word that
/// names a push) and the third (how many subscriptions are left).
/// Where a queue was asked, the job: of {{field, value, …}, id, …} its id and the value of the field "name", or the id alone. Of
/// EXEC's reply the ids of the jobs that the transaction added.
class ReplyReader final : public ValueSink {
public:
    void begin() { *this = ReplyReader(); }
    /// Follows begin(): a job may be in it; `added`: nothing but the id of one that was added.
    void expect_job(bool added) {
        expects_job_ = true;
        expects_id_ = added;
    }
    /// Follows begin(): of the reply's elements these are ids of jobs that were added. They must outlive the reply.
    void expect_jobs(std::span<const Transaction::Added> added) { expected_ = added; }
    void item(char type, std::string_view text, std::size_t depth) override {
        job_item(type, depth);
        if (depth == 0) {
            type_ = type;
            text_ = text.substr(0, kKept);
        } else if (depth == 1 && ++elements_ == 1) {
            first_ = type == '$' ? "" : text.substr(0, kKept);
            first_known_ = type != '$';
        } else if (depth == 1 && elements_ == 3 && type == ':') {
            third_ = text.substr(0, kKept);
        }
    }
    void string_bytes(std::span<const std::byte> bytes, std::size_t depth) override {
        std::string* into = depth == 0 && type_ == '!' ? &error_ : depth == 1 && elements_ == 1 ? &first_ : nullptr;
        if (job_part_ != JobPart::none) {
            into_job(bytes);
        }
        if (into != nullptr) {
            into->append(as_text(bytes).substr(0, kKept - std::min(kKept, into->size())));
        }
    }
    void string_end(std::size_t depth) override {
        job_string_end();
        first_known_ = first_known_ || (depth == 1 && elements_ == 1);
        error_known_ = error_known_ || depth == 0;
    }
    /// Whether the string in progress, if one is, is read: a hole in it would give a wrong word.
    [[nodiscard]] bool reads() const { return (type_ == '!' && !error_known_) || (elements_ == 1 && !first_known_); }

    /// Bytes of the string in progress are missing.
    void hole() { hole_ = true; }
    /// The string that ended last is a field's name that is read; is a job's id or name.
    [[nodiscard]] bool read_job_field() const { return ended_ == JobPart::field && named_; }
    [[nodiscard]] bool read_job() const { return ended_ == JobPart::id || ended_ == JobPart::name; }
    [[nodiscard]] const std::string& job() const { return job_; }  ///< its id; empty: there is none
    [[nodiscard]] const std::string& job_name() const { return job_name_; }
    struct AddedJob {
        std::string queue;
        std::string id;
    };
    [[nodiscard]] const std::vector<AddedJob>& added_jobs() const { return added_jobs_; }  ///< by a transaction

    [[nodiscard]] char type() const { return type_; }  ///< 0: not known yet
    [[nodiscard]] std::string_view text() const { return text_; }
    [[nodiscard]] std::string_view first() const { return first_; }
    [[nodiscard]] bool first_known() const { return first_known_; }
    [[nodiscard]] std::string_view third() const { return third_; }
    /// "WRONGTYPE", "MOVED", …; "ERR" for a text without a code. Empty: no error.
    [[nodiscard]] std::string error() const {
        if (type_ != '-' && type_ != '!') {
            return {};
        }
        const std::string_view text = type_ == '-' ? std::string_view(text_) : error_;
        const std::string_view word = text.substr(0, text.find(' '));
        const bool code =
            !word.empty() && word.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == std::string_view::npos;
        return std::string(code ? word : "ERR");
    }

private:
    static constexpr std::size_t kKept = 64;
    static constexpr std::size_t kLongestJob = 256;  // as keys of commands
    enum class JobPart : std::uint8_t { none, field, value, name, id };

    void job_item(char type, std::size_t depth) {
        ended_ = job_part_ = JobPart::none;
        hole_ = false;
        part_.clear();
        added_to_.clear();
        if (depth == 1 && type_ == '*' && !expected_.empty() && elements_ >= expected_.front().place) {
            added_item(type);
            return;
        }
        if (!expects_job_ || (type != '$' && depth > 0)) {
            hash_ = hash_ || (expects_job_ && depth == 1 && elements_ == 0 && type == '*');
            return;
        }
        if (expects_id_ ? depth == 0 && type == '$' : depth == 1 && elements_ == 1 && hash_) {
            job_part_ = JobPart::id;
        } else if (!expects_id_ && depth == 2 && elements_ == 1 && hash_) {
            job_part_ = ++in_hash_ % 2 == 1 ? JobPart::field : named_ ? JobPart::name : JobPart::value;
        }
    }
    /// elements_ are before it. A script that failed has an error in its place.
    void added_item(char type) {
        if (elements_ == expected_.front().place && type == '$') {
            job_part_ = JobPart::id;
            added_to_ = expected_.front().queue;
        }
        expected_ = expected_.subspan(1);
    }
    void into_job(std::span<const std::byte> bytes) {
        part_.append(as_text(bytes).substr(0, kLongestJob - std::min(kLongestJob, part_.size())));
    }
    void job_string_end() {
        ended_ = std::exchange(job_part_, JobPart::none);
        if (hole_) {
            ended_ = JobPart::none;
        }
        named_ = ended_ == JobPart::field && part_ == "name";
        if (ended_ == JobPart::name) {
            job_name_ = part_;
        } else if (ended_ == JobPart::id && !added_to_.empty()) {
            added_jobs_.push_back({std::exchange(added_to_, {}), part_});
        } else if (ended_ == JobPart::id) {
            job_ = part_;
        }
    }

    bool expects_job_ = false;
    bool expects_id_ = false;                       ///< only that
    bool hash_ = false;                             ///< the first element is an array
    std::span<const Transaction::Added> expected_;  ///< those that are still to come
    std::string added_to_;                          ///< the queue of the job whose id is in progress
    std::vector<AddedJob> added_jobs_;
    bool named_ = false;  ///< the next string of it is the job's name
    bool hole_ = false;
    JobPart job_part_ = JobPart::none;  ///< of the string in progress
    JobPart ended_ = JobPart::none;     ///< of the one that ended last
    std::uint64_t in_hash_ = 0;
    std::string part_;
    std::string job_;
    std::string job_name_;
    char type_ = 0;
    std::string text_;
    std::string error_;  ///< of a blob error
    std::string first_;
    std::string third_;
    bool first_known_ = false;
    bool error_known_ = false;
    std::uint64_t elements_ = 0;
};

}  // namespace timesink::proto::redis
