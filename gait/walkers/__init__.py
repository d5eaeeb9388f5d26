"""Rendered people who walk, with ground truth: a source of frames, clips with truth, scenes for benches.

person = body + gait + clothes, each sampled from a seed       person, body, gait, population, seeds
today  = coat, bags, hat, pace ... and the day's own mood       conditions, variation, wear, carry
walk   = person on a path in time -> skeleton in metres        motion, path, timing, feet
picture = skeleton -> tubes of flesh -> pixels                 flesh, head, tubes, paint, render
mask   = skeleton -> tubes -> outlines, and BlazePose's joints   rapid, crowd, landmarks, views
scene  = camera + place + walkers -> frames with truth         scene, camera, background, truth
ready-made scenes, clips on disk, the ``walkers:`` source      scenes, clip, source
"""
