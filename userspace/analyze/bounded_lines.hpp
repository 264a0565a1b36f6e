#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace timesink::analyze {

/// Lines of a table by key, at most 2 × limit of them. When that is reached, the lightest are folded into one line `other`
/// until `limit` are left, so that what comes first does not crowd out what matters; sums stay exact. A line made after a
/// folding may lack what was folded away of it before: it is marked partial.
/// Line needs: weight() (an ordered value), fold(Line&&) (adds another's sums), and a member `bool partial`.
/// Not first come, first served: a scanner that tries a thousand paths would fill the table before the first real request.
template <typename Key, typename Line, typename Less>
class BoundedLines {
public:
    explicit BoundedLines(std::size_t limit) : limit_(limit) {}

    /// The line of this key, made when there is none. Valid until the next call.
    template <typename View>
    Line& at(const View& view) {
        if (const auto found = lines_.find(view); found != lines_.end()) {
            return found->second;
        }
        if (lines_.size() >= 2 * limit_) {
            shrink(limit_);
        }
        Line& line = lines_.emplace(Key(view), Line()).first->second;
        line.partial = folded_ > 0;
        return line;
    }

    /// Folds down to the limit.
    void settle() { shrink(limit_); }

    /// Takes over what another table had folded.
    void fold_away(Line&& line, std::uint64_t lines) {
        if (!other_) {
            other_.emplace();
        }
        other_->fold(std::move(line));
        folded_ += lines;
    }

    std::map<Key, Line, Less>& lines() { return lines_; }
    std::optional<Line>& other() { return other_; }
    [[nodiscard]] std::uint64_t folded() const { return folded_; }

private:
    void shrink(std::size_t to) {
        if (lines_.size() <= to) {
            return;
        }
        using Iterator = typename std::map<Key, Line, Less>::iterator;
        std::vector<Iterator> order;
        order.reserve(lines_.size());
        for (auto it = lines_.begin(); it != lines_.end(); ++it) {
            order.push_back(it);
        }
        std::stable_sort(order.begin(), order.end(),
                         [](Iterator a, Iterator b) { return a->second.weight() > b->second.weight(); });
        for (std::size_t i = to; i < order.size(); ++i) {
            fold_away(std::move(order[i]->second), 1);
            lines_.erase(order[i]);
        }
    }

    std::size_t limit_;
    std::map<Key, Line, Less> lines_;
    std::optional<Line> other_;
    std::uint64_t folded_ = 0;
};

}  // namespace timesink::analyze
