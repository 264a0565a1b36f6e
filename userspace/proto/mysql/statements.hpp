#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace timesink::proto::mysql {

/// The texts of a session's prepared statements by the server's number. Owned by its parser. Bounded: the oldest are forgotten.
class Statements {
public:
    static constexpr std::size_t kMostText = std::size_t{256} * 1024;
    struct Statement {
        std::string text;
        bool truncated = false;
    };

    /// One is to be prepared.
    void ask(const Statement& statement) { asked_last_ = statement; }
    void add(std::uint32_t id, Statement statement) {
        forget(id);
        text_bytes_ += statement.text.size();
        statements_.emplace(id, std::move(statement));
        while (text_bytes_ > kMostText || statements_.size() > kMostText / 64) {
            forget(statements_.begin()->first);
        }
    }
    void forget(std::uint32_t id) {
        const auto found = statements_.find(id);
        if (found != statements_.end()) {
            text_bytes_ -= found->second.text.size();
            statements_.erase(found);
        }
    }
    /// Null: prepared before the attach, or forgotten. MariaDB: -1 is the one prepared last, which may be executed before the
    /// server has said its number.
    [[nodiscard]] const Statement* find(std::uint32_t id) const {
        if (id == ~std::uint32_t{0}) {
            return asked_last_.text.empty() ? nullptr : &asked_last_;
        }
        const auto found = statements_.find(id);
        return found == statements_.end() ? nullptr : &found->second;
    }
    void clear() {
        statements_.clear();
        asked_last_ = {};
        text_bytes_ = 0;
    }

private:
    std::map<std::uint32_t, Statement> statements_;
    std::size_t text_bytes_ = 0;
    Statement asked_last_;
};

}  // namespace timesink::proto::mysql
