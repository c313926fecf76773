# count_words.sh CAPTIONS WORDS COUNTS: the words of the .txt files in the folder CAPTIONS, the most frequent first, into
# the file WORDS, and how many there are, as JSON, into COUNTS.
set -eu
cat "$1"/*.txt | tr -cs "[:alnum:]'-" '\n' | sed '/^$/d' | sort | uniq -c | sort -k1,1nr -k2 > "$2"
printf '{"captions": %d, "words": %d}\n' "$(ls "$1"/*.txt | wc -l)" "$(wc -l < "$2")" > "$3"
cat "$3"
