# Reads deny.toml (its allow list, the exceptions, the clarified crates), then lines "expression|crate version",
# and says which crate's licence expression cannot be met. SPDX expressions with OR, AND, WITH and brackets.

FNR == NR {
    if ($0 ~ /^\[\[?/) table = $0
    if (table == "[licenses]" && $0 ~ /^allow = \[/) { in_allow = 1; next }
    if (in_allow && $0 ~ /^\]/) in_allow = 0
    if (in_allow && match($0, /"[^"]+"/)) allowed[substr($0, RSTART + 1, RLENGTH - 2)] = 1
    if (table == "[licenses]" && $0 ~ /crate = "/) { only[quoted($0, "crate = ")] = quoted($0, "allow = \\[") }
    if (table == "[[licenses.clarify]]" && $0 ~ /^crate = /) crate = quoted($0, "crate = ")
    if (table == "[[licenses.clarify]]" && $0 ~ /^expression = /) clarified[crate] = quoted($0, "expression = ")
    next
}

{
    split($0, half, "|")
    split(half[2], words, " ")
    expression = (words[1] in clarified) ? clarified[words[1]] : half[1]
    checked++
    if (!met(expression, only[words[1]])) {
        printf "licence not allowed: %s: \"%s\"\n", half[2], expression
        bad++
    }
}

END {
    printf "%d crates, %d with a licence that is not allowed\n", checked, bad
    if (bad > 0 || checked < 50) exit 1
}

# The first quoted text after `key` (a regular expression) in `line`.
function quoted(line, key) {
    sub(".*" key "\"", "", line)
    sub(/".*/, "", line)
    return line
}

# Each licence becomes 1 or 0, then AND, OR and brackets are reduced until one digit is left.
function met(expression, extra, count, i, words, text, before) {
    gsub(/ *\/ */, " OR ", expression)
    gsub(/ WITH /, "_WITH_", expression)
    gsub(/[()]/, " & ", expression)
    count = split(expression, words, " ")
    text = ""
    for (i = 1; i <= count; i++) {
        if (words[i] ~ /^(AND|OR|\(|\))$/) { text = text " " words[i]; continue }
        gsub(/_WITH_/, " WITH ", words[i])
        text = text " " ((words[i] in allowed) || words[i] == extra ? 1 : 0)
    }
    gsub(/\( /, "(", text); gsub(/ \)/, ")", text)
    do {
        before = text
        if (sub(/\(1\)/, "1", text) || sub(/\(0\)/, "0", text)) continue
        if (sub(/1 AND 1/, "1", text) || sub(/0 AND [01]/, "0", text) || sub(/1 AND 0/, "0", text)) continue
        if (text !~ / AND /) { if (sub(/0 OR 0/, "0", text) || sub(/[01] OR 1/, "1", text) || sub(/1 OR 0/, "1", text)) continue }
        # Inside brackets OR comes before an AND outside.
        if (sub(/\(0 OR 0\)/, "0", text) || sub(/\([01] OR 1\)/, "1", text) || sub(/\(1 OR 0\)/, "1", text)) continue
    } while (text != before)
    gsub(/ /, "", text)
    return text == "1"
}
