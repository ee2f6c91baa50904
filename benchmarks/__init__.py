"""Speed, memory and accuracy of semigen beside what a user would pick instead; see README.md."""
