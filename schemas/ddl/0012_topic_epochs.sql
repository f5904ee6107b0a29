-- How often the topic was made anew under its name, by a migration. From the second time on its sources carry the number in their names, so
-- that marks of the log before never hide messages of this one. The latest row is the one with the largest epoch and, in it, the largest
-- number of partitions: within an epoch a topic only grows.
ALTER TABLE weir.topics ADD COLUMN IF NOT EXISTS epoch UInt32 DEFAULT 0 AFTER partitions;
