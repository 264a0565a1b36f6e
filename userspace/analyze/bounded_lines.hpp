#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "base/id_map.hpp"

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

    BoundedLines(BoundedLines&&) noexcept = default;
    BoundedLines& operator=(BoundedLines&&) noexcept = default;
    /// Without the hints, which point into the other's lines.
    BoundedLines(const BoundedLines& other)
        : limit_(other.limit_), lines_(other.lines_), other_(other.other_), folded_(other.folded_) {}
    BoundedLines& operator=(const BoundedLines&) = delete;
    ~BoundedLines() = default;

    /// The line of this key, made when there is none. Valid until the next call.
    template <typename View>
    Line& at(const View& view) {
        return place(view).second;
    }
    /// The same, for tables that are asked for few lines again and again. `hint`: of a key mostly the same, of different ones
    /// mostly not. Needs Less::view(), of keys and of views.
    template <typename View>
    Line& at(const View& view, std::uint64_t hint) {
        Place* const* const hinted = hinted_.find(Hint{hint});
        if (hinted != nullptr && Less::view((*hinted)->first) == Less::view(view)) {
            return (*hinted)->second;
        }
        Place& found = place(view);
        if (hinted_.size() > 4 * limit_) {
            hinted_ = {};
        }
        hinted_[Hint{hint}] = &found;
        return found.second;
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
    using Place = typename std::map<Key, Line, Less>::value_type;
    enum class Hint : std::uint64_t {};

    template <typename View>
    Place& place(const View& view) {
        if (const auto found = lines_.find(view); found != lines_.end()) {
            return *found;
        }
        if (lines_.size() >= 2 * limit_) {
            shrink(limit_);
        }
        Place& made = *lines_.emplace(Key(view), Line()).first;
        made.second.partial = folded_ > 0;
        return made;
    }
    void shrink(std::size_t to) {
        if (lines_.size() <= to) {
            return;
        }
        using Iterator = typename std::map<Key, Line, Less>::iterator;
        hinted_ = {};
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
    IdMap<Hint, Place*> hinted_;  ///< the line that was asked for last with this hint
    std::optional<Line> other_;
    std::uint64_t folded_ = 0;
};

}  // namespace timesink::analyze
