#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "golden/words.hpp"
#include "timesink/abi/events.h"

namespace timesink::golden {

/// What SQLite's probes would have written: numbers of databases, statements and executions, by their labels in the script.
class Engine {
public:
    /// Behind the label. The text goes behind the record.
    ts_engine_name opens(Words& words, std::uint64_t now, std::string& text) {
        const std::string label = words.take("the database").text;
        text = words.quoted("its file");
        return name(TS_ENGINE_DATABASE, now, numbers_[label] = ++last_);
    }
    /// `now`: it is entered.
    ts_engine_name prepares(Words& words, std::uint64_t now, std::string& text) {
        const std::string label = words.take("the statement").text;
        std::uint64_t& database = numbers_[words.take("its database").text];
        database = database != 0 ? database : ++last_;
        text = words.quoted("its text");
        ts_engine_name record = name(TS_ENGINE_STATEMENT, now, numbers_[label] = ++last_);
        record.head.time = now + (words.accept("took") ? words.time("how long it took") : 0);
        record.database = database;
        return record;
    }
    ts_engine_call executes(Words& words, std::uint64_t now) {
        const std::string label = words.take("the statement").text;
        executions_[label] = {++last_, now};
        ts_engine_call record{};
        record.head.time = now;
        record.execution = last_;
        const auto known = numbers_.find(label);
        record.statement = known == numbers_.end() ? 0 : known->second;
        record.context = words.accept("context") ? static_cast<std::uint64_t>(words.number("the context")) : 0;
        record.stage = TS_ENGINE_BEGIN;
        return record;
    }
    /// `start`: of the script.
    ts_engine_call executed(Words& words, std::uint64_t now, std::uint64_t start) {
        constexpr std::int32_t kDone = 101;
        const Execution& execution = executions_[words.take("the statement").text];
        ts_engine_call record{};
        record.head.time = record.first = record.last = now;
        record.execution = execution.number;
        record.inside = now - execution.began;
        record.result = kDone;
        record.stage = TS_ENGINE_END;
        while (!words.done()) {
            if (words.accept("rows")) {
                record.rows = static_cast<__u32>(words.number("how many"));
            } else if (words.accept("first")) {
                record.first = start + words.time("when the first step returned");
            } else if (words.accept("last")) {
                record.last = start + words.time("when the last step returned");
            } else if (words.accept("inside")) {
                record.inside = words.time("how long in all steps");
            } else if (words.accept("result")) {
                record.result = static_cast<__s32>(words.number("the code"));
            } else {
                words.expect("reset");
                record.flags = TS_ENGINE_RESET;
            }
        }
        return record;
    }

private:
    struct Execution {
        std::uint64_t number = 0;
        std::uint64_t began = 0;
    };
    static ts_engine_name name(ts_engine_subject subject, std::uint64_t now, std::uint64_t number) {
        ts_engine_name record{};
        record.head.time = record.entered = now;
        record.number = number;
        record.subject = static_cast<__u8>(subject);
        return record;
    }

    std::map<std::string, std::uint64_t> numbers_;
    std::map<std::string, Execution> executions_;
    std::uint64_t last_ = 0;
};

}  // namespace timesink::golden
